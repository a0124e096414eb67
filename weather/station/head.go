package station

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/mesonet/mesonet/actors/entity"
	storagev1 "github.com/mesonet/mesonet/proto/mesonet/storage/v1"
	"github.com/mesonet/mesonet/weather"
)

// Head is the page of what is known of a station at any time.
type Head struct {
	// Station is its description.
	Station weather.Station
	// Registered says that it is known; observations alone don't make it so.
	Registered bool
	// Observations is the number of observations held.
	Observations uint64
	// Latest is the time of the newest observation, if there is any.
	Latest weather.Minute
}

// Register is the command that makes a station known. Its id is the entity's.
type Register struct{ Station weather.Station }

// Registration says what a Register did.
type Registration int

// What a Register did.
const (
	Registered Registration = iota + 1 // the station is new
	Updated                            // something that was known of it has changed
	Unchanged                          // it was known just so
)

// Remove is the command that deletes a station; its reply is how many
// observations went.
type Remove struct{}

// GetHead asks for the head.
type GetHead struct{}

func (s *Station) register(v *entity.View, c *Register) (entity.Events, Registration, error) {
	c.Station.ID = v.ID()
	if err := c.Station.Validate(); err != nil {
		return nil, 0, entity.RejectInvalid("%v", err).Because(BadStation)
	}
	outcome := Registered
	if head, ok := s.heads.In(v, ""); ok && head.Registered {
		if head.Station == c.Station {
			return nil, Unchanged, nil
		}
		outcome = Updated
	}
	return entity.Persist(&storagev1.StationRegistered{Description: describe(c.Station)}), outcome, nil
}

func (s *Station) remove(v *entity.View, _ *Remove) (entity.Events, uint64, error) {
	head, err := s.known(v)
	if err != nil {
		return nil, 0, err
	}
	return entity.Persist(entity.Delete()), head.Observations, nil
}

func (s *Station) head(v *entity.View, _ *GetHead) (*Head, error) {
	head, err := s.known(v)
	if err != nil {
		return nil, err
	}
	reply := *head
	return &reply, nil
}

func evolveHead(h *Head, event any) {
	switch e := event.(type) {
	case *storagev1.StationRegistered:
		h.Registered = true
		h.Station = station(e.GetDescription())
	case *observed:
		for _, t := range e.run.Times {
			if h.Observations == 0 || t > h.Latest {
				h.Latest = t
			}
			h.Observations++
		}
	}
}

func headCodec() entity.PageCodec[*Head] {
	return entity.PageCodec[*Head]{
		Version: 1,
		New:     func(string) (*Head, error) { return &Head{Station: weather.NewStation("")}, nil },
		Append: func(dst []byte, h *Head) []byte {
			m := &storagev1.StationHead{Description: describe(h.Station), Registered: h.Registered, Observations: h.Observations}
			if h.Observations > 0 {
				m.Latest = weather.AppendRun(nil, &weather.Run{Times: []weather.Minute{h.Latest}})
			}
			return appendProto(dst, m)
		},
		Decode: func(_ uint32, b []byte) (*Head, error) {
			m := &storagev1.StationHead{}
			if err := proto.Unmarshal(b, m); err != nil {
				return nil, fmt.Errorf("station: head: %w", err)
			}
			h := &Head{
				Station: station(m.GetDescription()), Registered: m.GetRegistered(),
				Observations: m.GetObservations(),
			}
			if len(m.GetLatest()) > 0 {
				run, err := weather.DecodeRun(m.GetLatest())
				if err != nil || run.Len() != 1 {
					return nil, fmt.Errorf("station: head: latest observation: %d of them, %w", run.Len(), err)
				}
				h.Latest = run.Times[0]
			}
			return h, nil
		},
	}
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
