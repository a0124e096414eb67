package api

import (
	"context"
	"fmt"
	"math"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/persistence"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
	"github.com/mesonet/mesonet/weather/quarantine"
)

// Quarantine keeps lines that could not be taken in.
func (s *Server) Quarantine(ctx context.Context, r *mesonetv1.QuarantineRequest) (*mesonetv1.QuarantineResponse, error) {
	k := &quarantine.Keep{Source: r.GetSource(), Lines: make([]quarantine.Line, len(r.GetLines())), Now: s.cfg.Now()}
	for i, l := range r.GetLines() {
		k.Lines[i] = quarantine.Line{Number: l.GetLine(), Text: string(l.GetText()), Reason: l.GetReason(), Format: l.GetFormat()}
	}
	kept, token, err := ask(ctx, s, s.quarantine.Keep, quarantine.ID(k.Source), k, nil)
	if err != nil {
		return nil, err
	}
	s.quarantined(Quarantined{Kept: kept.Kept, Dropped: kept.Dropped})
	return &mesonetv1.QuarantineResponse{Kept: uint32(kept.Kept), Dropped: uint32(kept.Dropped), Token: token}, nil
}

// ListQuarantined returns a page of the lines of a source.
func (s *Server) ListQuarantined(ctx context.Context, r *mesonetv1.ListQuarantinedRequest) (*mesonetv1.ListQuarantinedResponse, error) {
	size, err := pageSize(r.GetPageSize())
	if err != nil {
		return nil, err
	}
	list := quarantineList{r.GetSource()}
	after, err := list.parseLine(r.GetPageToken())
	if err != nil {
		return nil, invalid(err.Error())
	}
	question := &quarantine.GetLines{Source: r.GetSource(), After: after, Limit: size}
	found, token, err := ask(ctx, s, s.quarantine.Lines, quarantine.ID(r.GetSource()), question, r.GetRead())
	if err != nil {
		return nil, err
	}
	response := &mesonetv1.ListQuarantinedResponse{Token: token}
	for _, l := range found.Lines {
		response.Lines = append(response.Lines, &mesonetv1.QuarantinedLine{
			Line: l.Number, Text: []byte(l.Text), Reason: l.Reason, Format: l.Format, Time: timestamppb.New(l.Time),
		})
	}
	if found.More {
		response.NextPageToken = list.lineToken(found.Lines[len(found.Lines)-1].Number)
	}
	return response, nil
}

// ReleaseQuarantined forgets lines of a source.
func (s *Server) ReleaseQuarantined(ctx context.Context, r *mesonetv1.ReleaseQuarantinedRequest) (*mesonetv1.ReleaseQuarantinedResponse, error) {
	if r.GetAll() == (len(r.GetLines()) > 0) {
		return nil, invalid("name the lines to release, or all of them, and not both")
	}
	command := &quarantine.Release{Source: r.GetSource(), Lines: r.GetLines(), All: r.GetAll()}
	released, token, err := ask(ctx, s, s.quarantine.Release, quarantine.ID(r.GetSource()), command, nil)
	if err != nil {
		return nil, err
	}
	s.quarantined(Quarantined{Released: released})
	return &mesonetv1.ReleaseQuarantinedResponse{Released: uint32(released), Token: token}, nil
}

// ListQuarantineSources returns a page of the sources that lines are kept of. The
// index has their names; how much is kept of those of the page they are asked.
func (s *Server) ListQuarantineSources(ctx context.Context, r *mesonetv1.ListQuarantineSourcesRequest) (*mesonetv1.ListQuarantineSourcesResponse, error) {
	size, err := pageSize(r.GetPageSize())
	if err != nil {
		return nil, err
	}
	list := quarantineList{}
	after, err := list.parseSource(r.GetPageToken())
	if err != nil {
		return nil, invalid(err.Error())
	}
	response := &mesonetv1.ListQuarantineSourcesResponse{}
	var questions []*quarantine.GetSource
	for name, err := range s.quarantine.Sources(ctx, s.node, after) {
		if err != nil {
			return nil, Status(err)
		}
		if len(questions) == size {
			response.NextPageToken = list.sourceToken(questions[size-1].Source)
			break
		}
		questions = append(questions, &quarantine.GetSource{Source: name})
	}
	if err := s.askSources(ctx, questions, r.GetRead(), response); err != nil {
		return nil, err
	}
	return response, nil
}

// askSources asks sources how much is kept of them, and fills those in that are still
// there.
func (s *Server) askSources(ctx context.Context, questions []*quarantine.GetSource, read *mesonetv1.Read, response *mesonetv1.ListQuarantineSourcesResponse) error {
	opts, err := s.after(read)
	if err != nil {
		return err
	}
	type answer struct {
		source quarantine.Source
		token  entity.Token
		err    error
	}
	answers := make([]answer, len(questions))
	err = askEach(ctx, s, s.quarantine.Source, questions, func(i int) string { return quarantine.ID(questions[i].Source) }, opts,
		func(i int, source quarantine.Source, t entity.Token, err error) { answers[i] = answer{source, t, err} })
	if err != nil {
		return Status(fmt.Errorf("%w: the sources did not answer in time: %w", entity.ErrUnavailable, err))
	}
	tokens := make(map[persistence.Shard]entity.Token)
	for _, a := range answers {
		if a.err != nil {
			if code, _ := outcome(a.err); code != codes.NotFound {
				return Status(a.err)
			}
			continue // released since it was listed
		}
		response.Sources = append(response.Sources, &mesonetv1.QuarantineSource{
			Source: a.source.Name, Lines: uint32(a.source.Lines),
			Dropped: uint32(min(a.source.Dropped, math.MaxUint32)), LastTime: timestamppb.New(a.source.Last),
		})
		if a.token.Position >= tokens[a.token.Shard].Position {
			tokens[a.token.Shard] = a.token
		}
	}
	for _, t := range tokens {
		response.Tokens = append(response.Tokens, s.token(t))
	}
	return nil
}
