package image

import (
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// listTests names the tests, examples and fuzz tests that a package has and -test.run=run takes, one in a line, as its
// test binary would. It reads the source, as the binary may be of another processor, and takes long to ask in a guest.
func listTests(p Package, run string) (string, error) {
	pattern, _, _ := strings.Cut(run, "/") // which may go on to subtests, which a list does not have
	wanted, err := regexp.Compile(pattern)
	if err != nil {
		return "", fmt.Errorf("-run: %w", err)
	}
	var names strings.Builder
	for _, name := range p.files {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.ParseComments)
		if err != nil {
			return "", err
		}
		for _, test := range testsOf(file) {
			if wanted.MatchString(test) {
				names.WriteString(test + "\n")
			}
		}
	}
	return names.String(), nil
}

// testsOf names what the testing package runs of a file. Of examples, it is those that say what they print.
func testsOf(file *ast.File) (names []string) {
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if ok && f.Recv == nil && (takes(f, "Test", "T") || takes(f, "Fuzz", "F")) {
			names = append(names, f.Name.Name)
		}
	}
	for _, e := range doc.Examples(file) {
		if e.Output != "" || e.EmptyOutput {
			names = append(names, "Example"+e.Name)
		}
	}
	return names
}

// takes reports whether a function is called prefix and more, which is no word's rest, and takes a testing.kind.
func takes(f *ast.FuncDecl, prefix, kind string) bool {
	rest, ok := strings.CutPrefix(f.Name.Name, prefix)
	first, _ := utf8.DecodeRuneInString(rest)
	if !ok || rest != "" && unicode.IsLower(first) || len(f.Type.Params.List) != 1 {
		return false
	}
	pointer, ok := f.Type.Params.List[0].Type.(*ast.StarExpr)
	if !ok {
		return false
	}
	parameter, ok := pointer.X.(*ast.SelectorExpr)
	return ok && parameter.Sel.Name == kind
}
