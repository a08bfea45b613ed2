package edge

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestCrowdSecDocumentNamesRealTests looks for every test that docs/crowdsec.md names.
func TestCrowdSecDocumentNamesRealTests(t *testing.T) {
	document, err := os.ReadFile("../docs/crowdsec.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("crowdsec*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var source strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(text)
	}
	named := regexp.MustCompile(`\| (Test\w+)(?:/(\S+))? \|`).FindAllStringSubmatch(string(document), -1)
	if len(named) < 15 {
		t.Fatalf("only %d tests are named", len(named))
	}
	for _, name := range named {
		if !strings.Contains(source.String(), "func "+name[1]+"(") {
			t.Errorf("there is no %s", name[1])
		}
		if story := strings.ReplaceAll(name[2], "_", " "); !strings.Contains(source.String(), `"`+story+`"`) && story != "" {
			t.Errorf("%s has no case %q", name[1], story)
		}
	}
}
