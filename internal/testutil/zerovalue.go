package testutil

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"runtime/debug"
	"strings"
	"testing"
	"time"
)

// zeroLimit is how long a method of a zero value may take, which has nothing to wait for.
const zeroLimit = 20 * time.Second

// ZeroValues calls each method of zero values of a package's exported types, with zero values, contexts that do not end
// and functions that do nothing, and fails where one panics or does not return. The values are pointers, one for each
// exported type, which is checked where the source is at hand; types are left out by giving the reason.
func ZeroValues(t *testing.T, leftOut map[string]string, pointers ...any) {
	t.Helper()
	known := make(map[string]bool)
	for name := range leftOut {
		known[name] = true
	}
	for _, p := range pointers {
		typ := reflect.TypeOf(p).Elem()
		known[typ.Name()] = true
		for i := range reflect.PointerTo(typ).NumMethod() {
			// Each call has a value of its own: one that Close was called on is none of zero any more.
			v := reflect.New(typ)
			name := typ.Name() + "." + v.Type().Method(i).Name
			if leftOut[name] == "" {
				t.Run(name, func(t *testing.T) { callZero(t, v.Method(i)) })
			}
		}
	}
	for _, name := range exportedTypes(t) {
		if !known[name] {
			t.Errorf("nothing is said of the zero value of %s", name)
		}
	}
}

func callZero(t *testing.T, method reflect.Value) {
	args := make([]reflect.Value, method.Type().NumIn())
	for i := range args {
		args[i] = harmless(method.Type().In(i))
	}
	ended := make(chan string, 1)
	go func() {
		said := "Goexit"
		defer func() {
			if r := recover(); r != nil {
				said = fmt.Sprintf("panic: %v\n%s", r, debug.Stack())
			}
			ended <- said
		}()
		if method.Type().IsVariadic() {
			method.CallSlice(args)
		} else {
			method.Call(args)
		}
		said = ""
	}()
	select {
	case said := <-ended:
		if said != "" {
			t.Error(said)
		}
	case <-time.After(zeroLimit):
		t.Error("it does not return")
	}
}

// harmless is an argument of a type.
func harmless(typ reflect.Type) reflect.Value {
	switch {
	case typ == reflect.TypeFor[context.Context]():
		return reflect.ValueOf(context.Background())
	case typ.Kind() == reflect.Func:
		return reflect.MakeFunc(typ, func([]reflect.Value) []reflect.Value {
			results := make([]reflect.Value, typ.NumOut())
			for i := range results {
				results[i] = reflect.Zero(typ.Out(i))
			}
			return results
		})
	}
	return reflect.Zero(typ)
}

// exportedTypes are the names of the exported types of the package that is tested, or none where its source is not
// there.
func exportedTypes(t *testing.T) (names []string) {
	t.Helper()
	if _, err := os.Stat("doc.go"); err != nil {
		return nil
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			d, ok := d.(*ast.GenDecl)
			if !ok || d.Tok != token.TYPE {
				continue
			}
			for _, s := range d.Specs {
				if s := s.(*ast.TypeSpec); s.Name.IsExported() && s.TypeParams == nil {
					names = append(names, s.Name.Name)
				}
			}
		}
	}
	return names
}
