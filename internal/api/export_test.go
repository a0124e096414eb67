package api

import (
	"github.com/mesonet/mesonet/weather"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// ParseToken reads the page token of a request.
func ParseToken(r *mesonetv1.ListStationsRequest) (after weather.Neighbor, again string, err error) {
	q, err := toQuery(r)
	if err != nil {
		return after, "", err
	}
	if after, err = q.parseToken(r.GetPageToken()); err != nil {
		return after, "", err
	}
	return after, q.token(after), nil
}

// ParseQuarantineToken reads the page token of the lines of a source, or of the
// sources, and writes it anew.
func ParseQuarantineToken(source, token string) (again string, err error) {
	list := quarantineList{source}
	if source == "" {
		after, err := list.parseSource(token)
		return list.sourceToken(after), err
	}
	after, err := list.parseLine(token)
	return list.lineToken(after), err
}

// ToMembers brings together what is known of nodes.
var ToMembers = toMembers
