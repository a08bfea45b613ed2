package sundew_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// fusedOperation is how the compiler for arm64 lists a product that is added without rounding in between, after the line
// of source that it comes from.
var fusedOperation = regexp.MustCompile(`\(([^()]+\.go:\d+)\)\tFN?M(?:ADD|SUB)[SD]\t`)

// TestNothingThatDecidesIsFused asks the compiler itself: the language lets it round x*y+z once or twice as the machine
// likes, across statements too, and an explicit conversion of the product is what forbids it. A fused operation would give
// two machines different scores for the same log.
func TestNothingThatDecidesIsFused(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles for another architecture")
	}
	for _, pkg := range []string{".", "./scoring", "./scoring/law", "./rules"} {
		for _, at := range fusedIn(t, pkg) {
			t.Errorf("%s: a product and a sum are fused on some machines: convert the product, float64(x*y)", at)
		}
	}
}

// TestFusedOperationsAreSeen keeps the test above honest, whatever the compiler's listing will look like.
func TestFusedOperationsAreSeen(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles for another architecture")
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), "module fused\n\ngo 1.24\n")
	write(t, filepath.Join(dir, "fused.go"), `package fused

func Sum(x, y, z float64) float64 { return x*y + z }

func Difference(x, y, z float64) float64 {
	product := x * y
	return z - product
}

func Single(x, y, z float32) float32 { return x*y + z }

func Rounded(x, y, z float64) float64 { return float64(x*y) + z }
`)
	t.Chdir(dir)
	if found := fusedIn(t, "."); len(found) != 3 {
		t.Errorf("found %d fused operations, want 3: %v", len(found), found)
	}
}

// fusedIn lists the lines of the package that have fused operations in the code for arm64.
func fusedIn(t *testing.T, pkg string) []string {
	t.Helper()
	// The test cache does not see what a subprocess reads; walking the tree makes it notice a changed file.
	if err := filepath.WalkDir(pkg, func(string, fs.DirEntry, error) error { return nil }); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-gcflags=-S", pkg)
	build.Env = append(os.Environ(), "GOARCH=arm64", "CGO_ENABLED=0", "GOFLAGS=")
	listing, err := build.CombinedOutput()
	if err != nil {
		t.Fatalf("go build for arm64: %v\n%s", err, tail(listing))
	}
	var lines []string
	for _, match := range fusedOperation.FindAllSubmatch(listing, -1) {
		lines = append(lines, string(match[1]))
	}
	return lines
}

func tail(text []byte) []byte { return text[max(0, len(text)-2000):] }

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
