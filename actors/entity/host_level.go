package entity

import (
	"context"
	"errors"

	"github.com/mesonet/mesonet/persistence"
)

// watchLevel reads the level of the store's formats again and again: another node may
// raise it, and one that owns its shards and takes no others would not notice.
func (h *Host) watchLevel(ctx context.Context) {
	r := h.cfg.Store.Level()
	tell := h.cfg.Listener.Level
	if tell == nil {
		tell = func(persistence.Level, error) {}
	}
	told := r.Seen()
	tell(told, nil)
	every(ctx, h.cfg.LevelEvery, func() {
		level, err := r.Read(ctx)
		switch {
		case errors.Is(err, persistence.ErrLevel):
			h.outdated(ctx, level, err)
		case err == nil && level > told:
			told = level
			h.cfg.Logger.Info("the store's formats were raised, and are written so from now on", "level", uint32(level))
			tell(level, nil)
		}
	})
}

// outdated ends a host whose store was raised to a level that this program doesn't
// know: nothing is written any more, and others may have the shards at once.
func (h *Host) outdated(ctx context.Context, level persistence.Level, err error) {
	h.levelOnce.Do(func() {
		h.cfg.Logger.Error("this node stops: its store was raised to a level of formats that it does not know", "error", err)
		h.Fail(err)
		h.GiveUp(err)
		h.release(context.WithoutCancel(ctx))
		if l := h.cfg.Listener.Level; l != nil {
			l(level, err)
		}
	})
}

// unreadable says what it means that something of a shard can't be read: damage, unless
// it is of a level that this program doesn't know.
func (h *Host) unreadable(ctx context.Context, err error) error {
	if !errors.Is(err, persistence.ErrCorrupt) {
		return err
	}
	if _, levelErr := h.cfg.Store.Level().Read(ctx); errors.Is(levelErr, persistence.ErrLevel) {
		return levelErr
	}
	return err
}
