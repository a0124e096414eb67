package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// ErrResume says that a file of resume points can't be used. Its text says why
// and what to do.
var ErrResume = errors.New("ingest: unusable resume file")

// Resume keeps in a file how far loads have come, so that one that was killed
// goes on where it has stopped. Up to that line of a source everything is
// acknowledged; what comes behind may have been sent too, and sending it again
// does no harm. A source that is not what it was, by its name, size, time of
// modification or first 64 KiB, or is read as another format, is read from its
// beginning.
//
// A Resume is for one load at a time.
type Resume struct {
	path   string
	target string
	points map[string]*point // by the name of the source
	saved  time.Time         // when saving last ended
	took   time.Duration     // and what it took
}

// point is how far a source has been dealt with.
type point struct {
	identity
	Lines int64 `json:"lines"`
	Done  bool  `json:"done,omitempty"`
}

// resumeMagic begins the file, with the version of its form. A CRC-32 of what
// follows it comes next, in eight digits.
const resumeMagic = "mesonet-resume 1 "

// resumeFile is what follows the first line.
type resumeFile struct {
	Target  string   `json:"target"`
	Sources []*point `json:"sources"`
}

// OpenResume reads the resume points of a file, which need not be there yet. They
// hold for one target, such as the address of a server; those of another are
// ErrResume, as is a file that is damaged or something else.
func OpenResume(path, target string) (*Resume, error) {
	r := &Resume{path: path, target: target, points: map[string]*point{}}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrResume, err)
	}
	file, err := parseResume(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %s %w; name another file, or remove it and load from the beginning: what is stored counts as duplicates", ErrResume, path, err)
	}
	if file.Target != target {
		return nil, fmt.Errorf("%w: %s is of a load into %s, not %s: name another file", ErrResume, path, file.Target, target)
	}
	for _, p := range file.Sources {
		r.points[p.Name] = p
	}
	return r, nil
}

func parseResume(data []byte) (*resumeFile, error) {
	head, body, found := bytes.Cut(data, []byte("\n"))
	if !bytes.HasPrefix(head, []byte(resumeMagic[:len(resumeMagic)-2])) || !found {
		return nil, errors.New("is not a resume file")
	}
	if !bytes.HasPrefix(head, []byte(resumeMagic)) {
		return nil, errors.New("was written by another version")
	}
	if string(head[len(resumeMagic):]) != sumOf(body) {
		return nil, errors.New("is damaged: its checksum is wrong")
	}
	var file resumeFile
	if err := json.Unmarshal(body, &file); err != nil {
		return nil, fmt.Errorf("is damaged: %w", err)
	}
	for _, p := range file.Sources {
		if p == nil || p.Lines < 0 || p.Lines >= 1<<lineBits {
			return nil, errors.New("is damaged: a source has no lines")
		}
	}
	return &file, nil
}

func sumOf(body []byte) string { return fmt.Sprintf("%08x", crc32.ChecksumIEEE(body)) }

// find returns how many lines of a source have been dealt with, and whether
// those are all.
func (r *Resume) find(id *identity) (lines int64, done bool) {
	p := r.points[id.Name]
	if p == nil || !p.equal(id) {
		return 0, false
	}
	return p.Lines, p.Done
}

// set notes how far a source has come.
func (r *Resume) set(id *identity, m mark) {
	r.points[id.Name] = &point{*id, m.line, m.ended}
}

// save writes the points to the disk: first to a file beside, which then takes
// the place of the old one, so that a kill or power loss leaves one of both.
func (r *Resume) save() error {
	begun := time.Now()
	file := resumeFile{Target: r.target}
	for _, p := range r.points {
		file.Sources = append(file.Sources, p)
	}
	slices.SortFunc(file.Sources, func(a, b *point) int { return strings.Compare(a.Name, b.Name) })
	body, err := json.Marshal(file)
	if err == nil {
		err = replaceFile(r.path, slices.Concat([]byte(resumeMagic), []byte(sumOf(body)), []byte("\n"), body))
	}
	if err != nil {
		return fmt.Errorf("%w: writing %s: %w", ErrResume, r.path, err)
	}
	r.saved = time.Now()
	r.took = r.saved.Sub(begun)
	return nil
}

// replaceFile writes a file in one step.
func replaceFile(path string, data []byte) (err error) {
	folder := filepath.Dir(path)
	f, err := os.CreateTemp(folder, filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // it is in nobody's way, but useless
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// isDue reports whether to save again: with very many sources it takes so long
// that it would be most of what a load does.
func (r *Resume) isDue() bool { return time.Since(r.saved) >= 10*r.took }

// saving returns when to save: never, if nothing is to be resumed.
func (l *load) saving() (<-chan time.Time, func()) {
	if l.cfg.Resume == nil {
		return nil, func() {}
	}
	ticker := time.NewTicker(l.cfg.ResumeEvery)
	return ticker.C, ticker.Stop
}

// save keeps how far the inputs have come.
func (l *load) save() error {
	if l.cfg.Resume == nil || l.tracker == nil {
		return nil
	}
	marks := make([]mark, len(l.inputs))
	for i := range l.inputs {
		marks[i] = l.tracker.upTo(i)
	}
	// What is before a mark has been given to the quarantine, which has to keep it
	// before a mark says that it need not be read again.
	if !l.cfg.isKept() {
		return nil
	}
	for i, in := range l.inputs {
		if in.identity != nil {
			l.cfg.Resume.set(in.identity, marks[i])
		}
	}
	return l.cfg.Resume.save()
}
