package ingest

import (
	"archive/zip"
	"bufio"
	"context"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/flate"
)

// A zip archive says at its end what is in it. None of that is believed: names
// are checked though nothing is ever written by them, sizes are checked before
// anything is unpacked and again while it is, and each member is read through
// once, with its checksum, before one is loaded.

const (
	// maxDirectory is the most bytes of the list of members, which is held in
	// memory: 100,000 members with names of 100 bytes take 15 MB.
	maxDirectory = 32 << 20
	// maxMemberName is what file systems have as the longest path, or less.
	maxMemberName = 1024
)

// Member is a file in a zip archive on disk that has been looked at.
type Member struct {
	name   string // archive.zip/member
	path   string // of the archive
	info   os.FileInfo
	method uint16
	offset int64 // of the compressed bytes
	packed int64
	size   int64
	sum    uint32
}

// Name returns the path of the archive and that of the member in it.
func (m *Member) Name() string { return m.name }

// Size returns the number of bytes, uncompressed.
func (m *Member) Size() int64 { return m.size }

// Modified returns when the archive was last written to.
func (m *Member) Modified() time.Time { return m.info.ModTime() }

// Open returns the content. It fails with ErrFile if the archive is not what it
// was when it was looked at.
func (m *Member) Open() (io.ReadCloser, error) {
	file, err := reopen(m.path, m.info)
	if err != nil {
		return nil, err
	}
	return &unpacking{m.unpacked(file), file}, nil
}

func (m *Member) unpacked(file io.ReaderAt) io.ReadCloser {
	section := bufio.NewReaderSize(io.NewSectionReader(file, m.offset, m.packed), 32<<10)
	r := io.NopCloser(section)
	if m.method == zip.Deflate {
		r = flate.NewReader(section) // faster than the standard library's
	}
	return &summed{ReadCloser: r, member: m, sum: crc32.NewIEEE()}
}

// summed reads a member and compares it with what the archive says of it.
type summed struct {
	io.ReadCloser
	member *Member
	sum    hash.Hash32
	n      int64
}

func (s *summed) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	_, _ = s.sum.Write(p[:n]) // never fails
	s.n += int64(n)
	switch {
	case s.n > s.member.size:
		return 0, fmt.Errorf("it is longer than the %d bytes that the archive says", s.member.size)
	case !errors.Is(err, io.EOF):
		return n, err
	case s.n < s.member.size:
		return n, fmt.Errorf("it has %d bytes where the archive says %d: %w", s.n, s.member.size, io.ErrUnexpectedEOF)
	case s.sum.Sum32() != s.member.sum:
		return n, zip.ErrChecksum
	}
	return n, err
}

// lookInZip returns the members of an archive, sorted by name.
func lookInZip(ctx context.Context, file *os.File, info os.FileInfo, limits *Limits) (sources []Source, skipped []Skipped, err error) {
	directory := &allowance{ReaderAt: file, left: maxDirectory}
	z, err := zip.NewReader(directory, info.Size())
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // which names are good is decided below
		return nil, nil, damaged(file.Name(), 0, err)
	}
	slices.SortFunc(z.File, func(a, b *zip.File) int { return strings.Compare(a.Name, b.Name) })
	if err := checkDirectory(file.Name(), info.Size(), z.File, limits); err != nil {
		return nil, nil, err
	}
	directory.left = 1 << 62
	for _, f := range z.File {
		if f.Mode().IsDir() {
			continue
		}
		member, why, err := lookAtMember(ctx, file, info, f)
		switch {
		case err != nil:
			return nil, nil, err
		case why != "":
			skipped = append(skipped, Skipped{file.Name() + "/" + f.Name, why})
		default:
			sources = append(sources, member)
		}
	}
	return sources, skipped, nil
}

// allowance is how much may be read.
type allowance struct {
	io.ReaderAt
	left int64
}

func (a *allowance) ReadAt(p []byte, off int64) (int, error) {
	if a.left -= int64(len(p)); a.left < 0 {
		return 0, fmt.Errorf("its list of members is longer than %d bytes", maxDirectory)
	}
	return a.ReaderAt.ReadAt(p, off)
}

// checkDirectory refuses an archive for what it says of itself.
func checkDirectory(archive string, size int64, files []*zip.File, limits *Limits) error {
	if len(files) > limits.MaxFiles {
		return fmt.Errorf("%w: %s has more than %d members: split it, or raise max-files", ErrFile, archive, limits.MaxFiles)
	}
	total := uint64(0)
	for i, f := range files {
		if why := hostile(f); why != "" {
			return fmt.Errorf("%w: %s is refused for its member %q, which %s", ErrFile, archive, shorten([]byte(f.Name)), why)
		}
		if i > 0 && files[i-1].Name == f.Name {
			return fmt.Errorf("%w: %s is refused: it has two members named %q", ErrFile, archive, f.Name)
		}
		if total += f.UncompressedSize64; f.UncompressedSize64 > 1<<62 || total > 1<<62 {
			total = 1 << 62
			break
		}
	}
	// Of the archive's size, not the sum of what its members say: they may
	// share their bytes.
	return limits.check(archive, size, int64(total))
}

// hostile says why a member makes its archive one that is not to be trusted.
func hostile(f *zip.File) string {
	name := strings.TrimSuffix(f.Name, "/") // a folder's
	switch {
	case name == "":
		return "has no name"
	case len(name) > maxMemberName:
		return fmt.Sprintf("has a name of %d bytes, more than %d", len(name), maxMemberName)
	case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "has control characters in its name"
	case strings.Contains(name, `\`), len(name) > 1 && name[1] == ':':
		return "is named as on Windows: zip it again with / in names"
	case strings.HasPrefix(name, "/"):
		return "has an absolute path"
	case path.Clean(name) != name || name == "." || name == ".." || strings.HasPrefix(name, "../"):
		return "has a name that leads elsewhere"
	case f.Mode()&os.ModeSymlink != 0:
		return "is a symbolic link"
	case !f.Mode().IsDir() && !f.Mode().IsRegular():
		return "is not a file"
	case f.Flags&1 != 0:
		return "is encrypted"
	case f.Method != zip.Store && f.Method != zip.Deflate:
		return fmt.Sprintf("is compressed by method %d: zip it again with deflate", f.Method)
	}
	return ""
}

// lookAtMember reads a member to its end. It says why not when it is skipped.
func lookAtMember(ctx context.Context, file *os.File, info os.FileInfo, f *zip.File) (m *Member, why string, err error) {
	for folder := path.Dir(f.Name); folder != "."; folder = path.Dir(folder) {
		if why := unloved(path.Base(folder), os.ModeDir); why != "" {
			return nil, "is in a folder that " + why, nil
		}
	}
	if why := unloved(path.Base(f.Name), 0); why != "" {
		return nil, why, nil
	}
	offset, err := f.DataOffset()
	if err != nil {
		return nil, "", damaged(file.Name(), 0, err)
	}
	m = &Member{
		name: file.Name() + "/" + f.Name, path: file.Name(), info: info, method: f.Method,
		offset: offset, packed: int64(f.CompressedSize64), size: int64(f.UncompressedSize64), sum: f.CRC32,
	}
	if m.packed < 0 || offset > info.Size()-m.packed {
		return nil, "", damaged(m.name, 0, io.ErrUnexpectedEOF)
	}
	r := m.unpacked(file)
	defer func() { _ = r.Close() }()
	text := bufio.NewReaderSize(r, sniffed)
	head, _ := text.Peek(sniffed) // an error comes again when reading gets there
	if inner := packingOf(head); inner != plain {
		return nil, "", fmt.Errorf("%w: %s is %s: an archive in an archive is not unpacked: unpack it once", ErrFile, m.name, inner)
	}
	why = notData(head)
	// Its declared size, within the limits, bounds what comes.
	if _, err := drain(ctx, m.name, text, func(int64) error { return nil }); err != nil {
		return nil, "", err
	}
	return m, why, nil
}
