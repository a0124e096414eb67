package mesonet_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// module is the path that go.mod declares.
const module = "github.com/mesonet/mesonet"

// A pkg is what the tests of this folder look at in a package.
type pkg struct {
	path        string   // below the module, "." for its root
	main        bool     // a program
	comment     string   // the package comment, "" if there is none
	imports     []string // of its files for every platform and build tag
	testImports []string // of its _test.go files, those of package x_test too

	fset  *token.FileSet
	files []*ast.File // without tests
}

// readTree reads all packages of the module in the folder root. It does so by
// itself, not by go list: that would see only the files of one build, and go
// test, which notes what a test opens, would keep a result that has been
// overtaken.
func readTree(t *testing.T, root string) []*pkg {
	t.Helper()
	pkgs := make(map[string]*pkg)
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name != root && isOutside(name) {
				return fs.SkipDir
			}
			return nil
		}
		if filepath.Ext(name) != ".go" {
			return nil
		}
		folder, err := filepath.Rel(root, filepath.Dir(name))
		if err != nil {
			return err
		}
		folder = filepath.ToSlash(folder)
		if pkgs[folder] == nil {
			pkgs[folder] = &pkg{path: folder, fset: token.NewFileSet()}
		}
		return pkgs[folder].add(name)
	})
	if err != nil {
		t.Fatalf("reading the packages of the module: %v", err)
	}
	return slices.SortedFunc(maps.Values(pkgs), func(a, b *pkg) int { return strings.Compare(a.path, b.path) })
}

// isOutside reports whether the go command leaves the folder out of ./...: it
// is another module, or has a name of the kind that is ignored.
func isOutside(folder string) bool {
	base := filepath.Base(folder)
	if base == "testdata" || base == "vendor" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
		return true
	}
	_, err := os.Stat(filepath.Join(folder, "go.mod"))
	return err == nil
}

// add reads one file of the package.
func (p *pkg) add(name string) error {
	file, err := parser.ParseFile(p.fset, name, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	if isIgnored(file) {
		return nil
	}
	var imports []string
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		imports = append(imports, imported)
	}
	if strings.HasSuffix(name, "_test.go") {
		p.testImports = append(p.testImports, imports...)
		return nil
	}
	p.files = append(p.files, file)
	p.imports = append(p.imports, imports...)
	p.main = file.Name.Name == "main"
	p.comment += file.Doc.Text()
	return nil
}

// isIgnored reports whether the file is a program beside the package, run by
// hand or by go generate.
func isIgnored(file *ast.File) bool {
	for _, group := range file.Comments {
		for _, comment := range group.List {
			if comment.Pos() < file.Package && comment.Text == "//go:build ignore" {
				return true
			}
		}
	}
	return false
}

// below returns an import's path below the module, and false for an import from
// elsewhere.
func below(imported string) (string, bool) {
	if imported == module {
		return ".", true
	}
	return strings.CutPrefix(imported, module+"/")
}

// matches reports whether a path is one of the patterns: a path itself, or one
// that ends in /... and so includes all below it.
func matches(name string, patterns ...string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		top, whole := strings.CutSuffix(pattern, "/...")
		return name == top || whole && strings.HasPrefix(name, top+"/")
	})
}

// isTestPackage reports whether the package is made to be used by tests, such
// as persistence/persistencetest.
func isTestPackage(name string) bool {
	return name != "." && path.Base(name) == path.Base(path.Dir(name))+"test"
}
