package sundew_test

import (
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestImportsPointInward keeps the floor plan: only cmd imports the rooms.
func TestImportsPointInward(t *testing.T) {
	for _, line := range goList(t, `{{.ImportPath}} {{join .Imports " "}} {{join .TestImports " "}} {{join .XTestImports " "}}`, "./...") {
		pkg, imports, _ := strings.Cut(line, " ")
		from := room(pkg)
		if from == "cmd" || from == "root" {
			continue // the root's own imports have a test of their own; its tests tell the story of all rooms
		}
		for imported := range strings.FieldsSeq(imports) {
			if to := room(imported); to != "" && to != "root" && to != from {
				t.Errorf("%s imports %s: rooms speak to each other only through package sundew; wire them in cmd", pkg, imported)
			}
		}
	}
}

// TestRootIsStandardLibrary keeps the vocabulary free of everything that a room may need.
func TestRootIsStandardLibrary(t *testing.T) {
	for _, dep := range goList(t, "{{if not .Standard}}{{.ImportPath}}{{end}}", "-deps", ".") {
		if dep != "" && dep != "sundew" {
			t.Errorf("package sundew reaches %s: every room pays for what the vocabulary imports, so it uses the standard library alone", dep)
		}
	}
}

// TestDependenciesStayOut lists what a folder must never reach, with the reason.
func TestDependenciesStayOut(t *testing.T) {
	bans := []struct{ in, module, why string }{
		{"./edge/...", "github.com/segmentio/kafka-go", "an edge talks HTTP, not Kafka"},
		{"./edge/...", "github.com/ClickHouse", "an edge stores nothing"},
		{"./edge/...", "github.com/duckdb", "an edge stores nothing"},
		{"./edge/...", "gonum.org/v1/gonum", "an edge does not score"},
		{"./scoring/...", "net/http", "scoring is a pure function of the log"},
		{"./scoring/...", "log/slog", "scoring is a pure function of the log"},
		{"./scoring/...", "math/rand", "scoring is a pure function of the log"},
		{"./rules/...", "net/http", "rules are a pure function of scores"},
		{"./rules/...", "github.com/segmentio/kafka-go", "rules do no I/O but reading their own files"},
		{"./dashboards/...", "github.com/duckdb", "pages ask through an interface, so that any store serves them"},
		{"./ingest/...", "github.com/twmb/franz-go", "nothing but cmd knows that a broker can be embedded"},
		{"./sim/...", "github.com/segmentio/kafka-go", "simulated traffic enters like any other, through ingest"},
	}
	for _, ban := range bans {
		for _, dep := range goList(t, "{{.ImportPath}}", "-deps", ban.in) {
			if dep == ban.module || strings.HasPrefix(dep, ban.module+"/") {
				t.Errorf("%s reaches %s: %s", ban.in, dep, ban.why)
			}
		}
	}
}

// TestEveryPackageIntroducesItself asks for a package comment, the first thing a reader sees.
func TestEveryPackageIntroducesItself(t *testing.T) {
	for _, line := range goList(t, "{{.ImportPath}} {{.Doc}}", "./...") {
		if pkg, doc, _ := strings.Cut(line, " "); doc == "" {
			t.Errorf("%s has no package comment", pkg)
		}
	}
}

// room names the floor of the plan that a package stands on: "root", its top-level folder, or "" outside the module.
func room(pkg string) string {
	if pkg == "sundew" {
		return "root"
	}
	inside, found := strings.CutPrefix(pkg, "sundew/")
	if !found {
		return ""
	}
	top, _, _ := strings.Cut(inside, "/")
	return top
}

func goList(t *testing.T, format string, args ...string) []string {
	t.Helper()
	// The test cache does not see what a subprocess reads; walking the tree makes it notice a changed file.
	if err := filepath.WalkDir(".", func(string, fs.DirEntry, error) error { return nil }); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "go", append([]string{"list", "-f", format}, args...)...).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}
