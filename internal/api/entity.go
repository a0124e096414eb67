package api

import (
	"context"
	"encoding/base64"
	"errors"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/persistence"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// ListEntities returns a page of the ids of a kind, or the kinds.
func (s *Server) ListEntities(ctx context.Context, r *mesonetv1.ListEntitiesRequest) (*mesonetv1.ListEntitiesResponse, error) {
	response := &mesonetv1.ListEntitiesResponse{Kinds: s.node.Kinds()}
	if r.GetKind() == "" {
		return response, nil
	}
	size, err := pageSize(r.GetPageSize())
	if err != nil {
		return nil, err
	}
	after, err := base64.RawURLEncoding.DecodeString(r.GetPageToken())
	if err != nil {
		return nil, invalid("page_token is not one that this server gave; begin without one")
	}
	ids, err := s.node.List(ctx, r.GetKind(), string(after), size+1)
	if err != nil {
		return nil, Status(s.unknownKind(err))
	}
	if len(ids) > size {
		ids = ids[:size]
		response.NextPageToken = base64.RawURLEncoding.EncodeToString([]byte(ids[size-1]))
	}
	response.Ids = ids
	return response, nil
}

// GetEntity describes one entity.
func (s *Server) GetEntity(ctx context.Context, r *mesonetv1.GetEntityRequest) (*mesonetv1.GetEntityResponse, error) {
	d, err := s.node.Describe(ctx, entity.ID{Kind: r.GetKind(), ID: r.GetId()})
	if err != nil {
		return nil, Status(s.unknownKind(err))
	}
	response := &mesonetv1.GetEntityResponse{
		Shard: uint32(d.Shard), Awake: d.Awake, MemoryBytes: uint64(d.MemoryBytes), Unstored: d.Unstored, KeptEvents: uint32(d.Kept),
	}
	if d.Corrupt != nil {
		response.Corrupt = d.Corrupt.Error()
		var c *entity.CorruptError
		if errors.As(d.Corrupt, &c) && c.Event {
			response.CorruptAt = c.Position.String()
		}
	}
	for _, p := range d.Pages {
		response.Pages = append(response.Pages, &mesonetv1.StoredPage{
			Name: p.Name, Position: p.Position.String(), Version: p.Version, Bytes: uint64(p.Bytes),
		})
	}
	return response, nil
}

// SkipEvent leaves out the event by which an entity is corrupt.
func (s *Server) SkipEvent(ctx context.Context, r *mesonetv1.SkipEventRequest) (*mesonetv1.SkipEventResponse, error) {
	position, err := persistence.ParsePosition(r.GetPosition())
	if err != nil {
		return nil, invalid(err.Error())
	}
	if err := s.node.Skip(ctx, entity.ID{Kind: r.GetKind(), ID: r.GetId()}, position); err != nil {
		return nil, Status(s.unknownKind(err))
	}
	return &mesonetv1.SkipEventResponse{}, nil
}

// unknownKind makes a kind that the node does not have a fault of the request.
func (s *Server) unknownKind(err error) error {
	if !errors.Is(err, entity.ErrUnknownKind) {
		return err
	}
	return entity.RejectInvalid("%v; this node serves %v", err, s.node.Kinds()).Because("UNKNOWN_KIND")
}
