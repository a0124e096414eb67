package api

import (
	"encoding/binary"

	"github.com/mesonet/mesonet/weather/quarantine"
)

// quarantineList is the list of the lines of a source, whose page tokens go on after
// the number of a line, or that of the sources, whose go on after the name of one.
type quarantineList struct{ source string } // "" for that of the sources

func (l quarantineList) list() pagedList {
	return pagedList{of: "quarantine " + l.source, by: "source"}
}

func (l quarantineList) lineToken(line uint32) string {
	return l.list().token(binary.BigEndian.AppendUint32(nil, line))
}

func (l quarantineList) sourceToken(source string) string { return l.list().token([]byte(source)) }

// parseLine returns the line of a token, 0 for the empty one.
func (l quarantineList) parseLine(token string) (uint32, error) {
	if token == "" {
		return 0, nil
	}
	b, err := l.list().parse(token)
	if err == nil && len(b) != 4 {
		err = errForeignToken
	}
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint32(b), nil
}

// parseSource returns the source of a token, "" for the empty one.
func (l quarantineList) parseSource(token string) (string, error) {
	if token == "" {
		return "", nil
	}
	b, err := l.list().parse(token)
	if err == nil && (len(b) == 0 || len(b) > quarantine.MaxSource) {
		err = errForeignToken
	}
	return string(b), err
}
