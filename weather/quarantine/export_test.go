package quarantine

import (
	"google.golang.org/protobuf/proto"

	storagev1 "github.com/mesonet/mesonet/proto/mesonet/storage/v1"
)

// Decode reads a page of a family, or an event, and returns it encoded anew.
func Decode(family string, b []byte) (again []byte, err error) {
	switch family {
	case "head":
		h, err := headCodec().Decode(1, b)
		if err != nil {
			return nil, err
		}
		return headCodec().Append(nil, h), nil
	case "contents":
		c, err := decodeContents(b)
		if err != nil {
			return nil, err
		}
		return contentsCodec().Append(nil, c), nil
	case "lines":
		p, err := decodePage(b)
		if err != nil {
			return nil, err
		}
		return pageCodec().Append(nil, p), nil
	case "quarantined":
		e := &storagev1.LinesQuarantined{}
		if err := proto.Unmarshal(b, e); err != nil {
			return nil, err
		}
		if err := checkKept(e); err != nil {
			return nil, err
		}
		c, _ := contentsCodec().New("")
		p, _ := pageCodec().New("0")
		evolveContents(c, e)
		evolvePage(p, e)
		return appendProto(nil, e), nil
	default:
		e := &storagev1.LinesReleased{}
		if err := proto.Unmarshal(b, e); err != nil {
			return nil, err
		}
		return appendProto(nil, e), checkReleased(e)
	}
}
