package station

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/mesonet/mesonet/actors/entity"
	storagev1 "github.com/mesonet/mesonet/proto/mesonet/storage/v1"
	"github.com/mesonet/mesonet/weather"
)

func (s *Station) headCodec() entity.PageCodec[*Head] {
	return entity.PageCodec[*Head]{
		Version: 2,
		New:     func(string) (*Head, error) { return &Head{Station: weather.NewStation("")}, nil },
		Append:  appendHead,
		Decode:  s.decodeHead,
	}
}

func appendHead(dst []byte, h *Head) []byte {
	m := &storagev1.StationHead{
		Description: describe(h.Station), Registered: h.Registered, Observations: h.Observations, Ranges: rangesOf(h.Profile),
	}
	if h.Months.Len() > 0 {
		m.Months = weather.AppendMonthSet(nil, &h.Months)
	}
	if h.Observations > 0 {
		latest := &weather.Run{}
		latest.Append(h.Latest, h.Values...)
		m.Latest = weather.AppendRun(nil, latest)
	}
	return appendProto(dst, m)
}

func (s *Station) decodeHead(version uint32, b []byte) (*Head, error) {
	if version < 2 {
		return nil, fmt.Errorf("station: head of version %d, from before the first release; load the readings anew", version)
	}
	m := &storagev1.StationHead{}
	if err := proto.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("station: head: %w", err)
	}
	h := &Head{
		Station: station(m.GetDescription()), Registered: m.GetRegistered(),
		Observations: m.GetObservations(), Profile: profileOf(m.GetRanges()),
	}
	if len(m.GetMonths()) > 0 {
		var err error
		if h.Months, err = weather.DecodeMonthSet(m.GetMonths()); err != nil {
			return nil, fmt.Errorf("station: head: %w", err)
		}
	}
	if h.Observations == 0 {
		return h, nil
	}
	latest, err := s.decodeRun(m.GetLatest())
	if err != nil {
		return nil, fmt.Errorf("station: head: the latest observation: %w", err)
	}
	if latest.Len() != 1 {
		return nil, fmt.Errorf("station: head: %d latest observations", latest.Len())
	}
	h.Latest = latest.Times[0]
	h.show(latest, 0)
	return h, nil
}

// describe and station turn a station into what is stored and back.
func describe(s weather.Station) *storagev1.StationDescription {
	known := func(v weather.Value) *int32 {
		if v == weather.Missing {
			return nil
		}
		return proto.Int32(int32(v))
	}
	return &storagev1.StationDescription{
		Id: s.ID, Name: s.Name, Country: s.Country, State: s.State, CallSign: s.CallSign,
		Latitude: known(s.Latitude), Longitude: known(s.Longitude), Elevation: known(s.Elevation),
	}
}

func station(d *storagev1.StationDescription) weather.Station {
	known := func(v *int32) weather.Value {
		if v == nil {
			return weather.Missing
		}
		return weather.Value(*v)
	}
	if d == nil {
		d = &storagev1.StationDescription{}
	}
	return weather.Station{
		ID: d.GetId(), Name: d.GetName(), Country: d.GetCountry(), State: d.GetState(), CallSign: d.GetCallSign(),
		Latitude: known(d.Latitude), Longitude: known(d.Longitude), Elevation: known(d.Elevation),
	}
}

// appendProto appends a message that was made here, which always marshals: it
// has no required fields, and its texts were validated.
func appendProto(dst []byte, m proto.Message) []byte {
	dst, err := proto.MarshalOptions{Deterministic: true}.MarshalAppend(dst, m)
	if err != nil {
		panic(err) //nolint:forbidigo // a programmer's error; supervision takes it
	}
	return dst
}
