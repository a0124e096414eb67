package pebble

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"sort"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/mesonet/mesonet/persistence"
)

// Format is the version of the layout of the folder and the keys.
const Format = 4

// engineFormat pins Pebble's own format, so that a newer Pebble doesn't make
// folders that the release before can't read. This one tells a torn end of the
// write-ahead log from damage in its middle.
const engineFormat = pebble.FormatTableFormatV6

const (
	storeFile    = "STORE"
	creatingFile = "STORE.creating"
	lockFile     = "LOCK"
	dataFolder   = "pebble"

	writeCategory = vfs.WriteCategoryUnspecified
)

// description is the content of the STORE file.
type description struct {
	Format int    `json:"format"`
	ID     string `json:"id"`
	Shards uint32 `json:"shards"`
	Hash   string `json:"hash"`
}

func (s *Store) path(name string) string { return path.Join(s.cfg.Dir, name) }

// openFolder locks the folder and opens what is in it, or creates it.
func (s *Store) openFolder(ctx context.Context) (err error) {
	fs := s.cfg.fs
	if s.cfg.ReadOnly {
		if _, err := fs.Stat(s.path(storeFile)); errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("%w: folder %s has no %s file", persistence.ErrFormat, s.cfg.Dir, storeFile)
		}
	} else if err := s.makeFolder(); err != nil {
		return fmt.Errorf("pebble: the folder of the store can't be made: %w", err)
	}
	if err := s.recognize(); err != nil {
		return err
	}
	var disk *os.PathError // of the file, not of the lock on it
	if s.lock, err = fs.Lock(s.path(lockFile)); errors.As(err, &disk) {
		return fmt.Errorf("pebble: folder %s can't be locked: %w; see to the disk and who may write to it", s.cfg.Dir, err)
	} else if err != nil {
		return fmt.Errorf("%w: folder %s is locked by another process (%w); stop it, or choose another folder", persistence.ErrLocked, s.cfg.Dir, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.lock.Close())
		}
	}()
	content, err := readFile(fs, s.path(storeFile))
	if errors.Is(err, os.ErrNotExist) {
		return s.create()
	}
	if err != nil {
		return fmt.Errorf("pebble: %s can't be read: %w", s.path(storeFile), err)
	}
	return s.open(ctx, content)
}

// makeFolder makes the folder and those above it that are missing, so that they
// survive a loss of power: a folder lasts once the one above it is synced.
func (s *Store) makeFolder() error {
	fs := s.cfg.fs
	var above []string // of the folders that are missing
	for dir := path.Clean(s.cfg.Dir); ; dir = path.Dir(dir) {
		if _, err := fs.Stat(dir); err == nil || dir == path.Dir(dir) {
			break
		}
		above = append(above, path.Dir(dir))
	}
	if err := fs.MkdirAll(s.cfg.Dir, 0o755); err != nil {
		return err
	}
	for _, dir := range above {
		if err := syncFolder(fs, dir); err != nil {
			return err
		}
	}
	return nil
}

// recognize refuses a folder that is neither empty nor a store, before
// anything is written to it.
func (s *Store) recognize() error {
	names, err := s.cfg.fs.List(s.cfg.Dir)
	if err != nil {
		return fmt.Errorf("pebble: folder %s can't be listed: %w", s.cfg.Dir, err)
	}
	var ours, creating, data bool
	var others []string
	for _, name := range names {
		switch name {
		case storeFile:
			ours = true
		case creatingFile:
			creating = true
		case dataFolder:
			data = true
		case lockFile, witnessFile, witnessFile + ".new":
		default:
			others = append(others, name)
		}
	}
	sort.Strings(others)
	switch {
	case ours && !data:
		return fmt.Errorf("%w: folder %s has a %s file, but its records (%s) are gone; restore them from a backup, or choose an empty folder",
			persistence.ErrCorrupt, s.cfg.Dir, storeFile, dataFolder)
	case ours || creating:
		return nil
	case data:
		return fmt.Errorf("%w: folder %s has records (%s) but no %s file to say what they are; restore it from a backup, or choose an empty folder",
			persistence.ErrCorrupt, s.cfg.Dir, dataFolder, storeFile)
	case len(others) > 0:
		return fmt.Errorf("%w: folder %s is not empty and not a store (it has %s); choose an empty or missing folder",
			persistence.ErrFormat, s.cfg.Dir, strings.Join(shorten(others, 3), ", "))
	}
	return nil
}

// open opens a store that says of itself what content says.
func (s *Store) open(ctx context.Context, content []byte) (err error) {
	if s.info, err = readDescription(content); err != nil {
		return fmt.Errorf("%w (%s)", err, s.path(storeFile))
	}
	// Pebble opens what it can and removes what it has no use for. So it is
	// asked to change nothing, until it is known that all is there, and that this
	// program can read it.
	if err := s.look(ctx, content); err != nil || s.cfg.ReadOnly {
		return err
	}
	if err := s.closeData(); err != nil {
		return err
	}
	return s.openData(toUse)
}

// readDescription reads the content of a STORE file.
func readDescription(content []byte) (persistence.Info, error) {
	var d description
	bad := func(why string, args ...any) (persistence.Info, error) {
		return persistence.Info{}, fmt.Errorf("%w: the description of the store %s; restore it from a backup", persistence.ErrCorrupt, fmt.Sprintf(why, args...))
	}
	if err := json.Unmarshal(content, &d); err != nil {
		return bad("can't be understood: %v", err)
	}
	if d.Format != Format {
		return persistence.Info{}, fmt.Errorf("%w: the store has format %d, and this program reads format %d; use the version of the program that wrote it",
			persistence.ErrFormat, d.Format, Format)
	}
	if d.Hash != persistence.HashName {
		return persistence.Info{}, fmt.Errorf("%w: the store spreads entities by %q, and this program by %q; use the version of the program that wrote it",
			persistence.ErrFormat, d.Hash, persistence.HashName)
	}
	if err := persistence.ValidShards(d.Shards); err != nil {
		return bad("has %d shards, which no store has", d.Shards)
	}
	id, err := hex.DecodeString(d.ID)
	if err != nil || len(id) != len(persistence.StoreID{}) {
		return bad("has %q for an id", d.ID)
	}
	return persistence.Info{ID: persistence.StoreID(id), Format: d.Format, Shards: d.Shards, Hash: d.Hash, Local: true}, nil
}

// create makes a new store. The STORE file comes last: a process that dies
// before leaves a folder marked as being created, which holds nothing that
// anybody was promised, and is made anew.
func (s *Store) create() error {
	fs := s.cfg.fs
	if _, err := fs.Stat(s.path(witnessFile)); err == nil {
		return fmt.Errorf("%w: folder %s has been in use, as its %s file shows, but has no %s file; restore it from a backup, or choose an empty folder",
			persistence.ErrCorrupt, s.cfg.Dir, witnessFile, storeFile)
	}
	s.info = persistence.Info{Format: Format, Shards: s.cfg.Shards, Hash: persistence.HashName, Local: true}
	_, _ = rand.Read(s.info.ID[:]) // never fails
	content, err := json.MarshalIndent(description{
		Format: Format, ID: s.info.ID.String(), Shards: s.info.Shards, Hash: s.info.Hash,
	}, "", "  ")
	if err != nil {
		return fmt.Errorf("pebble: %w", err)
	}
	content = append(content, '\n')
	if err := writeFile(fs, s.path(creatingFile), content); err != nil {
		return fmt.Errorf("pebble: the store can't be created: %w", err)
	}
	if err := syncFolder(fs, s.cfg.Dir); err != nil {
		return fmt.Errorf("pebble: the store can't be created: %w", err)
	}
	if err := fs.RemoveAll(s.path(dataFolder)); err != nil {
		return fmt.Errorf("pebble: what is left of an unfinished creation can't be removed: %w", err)
	}
	if err := s.openData(toCreate); err != nil {
		return err
	}
	s.witness = newWitness()
	if err = s.db.Set(metaKey, content, pebble.Sync); err == nil {
		err = s.createLevel()
	}
	if err = errors.Join(err, s.failed()); err == nil {
		if err = fs.Rename(s.path(creatingFile), s.path(storeFile)); err == nil {
			err = syncFolder(fs, s.cfg.Dir)
		}
	}
	if err != nil {
		return errors.Join(fmt.Errorf("pebble: the store can't be created: %w", err), s.closeData())
	}
	return nil
}

func syncFolder(fs vfs.FS, name string) error {
	dir, err := fs.OpenDir(name)
	if err != nil {
		return err
	}
	if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
		return fmt.Errorf("folder %s can't be synced: %w", name, err)
	}
	return nil
}

func readFile(fs vfs.FS, name string) ([]byte, error) {
	f, err := fs.Open(name)
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(io.LimitReader(f, 1<<20))
	return content, errors.Join(err, f.Close())
}

func writeFile(fs vfs.FS, name string, content []byte) error {
	f, err := fs.Create(name, writeCategory)
	if err != nil {
		return err
	}
	_, err = f.Write(bytes.Clone(content)) // a vfs.File may change what it is given
	return errors.Join(err, f.Sync(), f.Close())
}

func shorten(names []string, most int) []string {
	if len(names) > most {
		return append(names[:most:most], "…")
	}
	return names
}
