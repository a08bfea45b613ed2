package quality

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

func plotted() Report {
	return Report{
		Attacks: []AttackRow{
			{Attack: "scan <&>", Intensity: .2, Campaigns: 4, Enforced: 1},
			{Attack: "scan <&>", Intensity: .9, Campaigns: 4, Enforced: 4},
			{Attack: "flood", Intensity: .2, Campaigns: 4, Enforced: 0},
		},
		Calibration: []Calibration{
			{Alpha: 1e-1, Actual: rateOf(40, 1000)},
			{Alpha: 1e-5, Actual: rateOf(0, 1000)},
		},
	}
}

// elements counts the elements of a document by name, and joins its text.
func elements(t *testing.T, document []byte) (count map[string]int, text string) {
	t.Helper()
	count = map[string]int{}
	var words strings.Builder
	decoder := xml.NewDecoder(bytes.NewReader(document))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return count, words.String()
		}
		if err != nil {
			t.Fatalf("no XML: %v", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			count[token.Name.Local]++
		case xml.CharData:
			words.Write(token)
		}
	}
}

func TestPowerHasAPanelPerAttack(t *testing.T) {
	document := plotted().Power()
	count, text := elements(t, document)
	if count["circle"] != 3 {
		t.Errorf("%d points, want one for each attack and intensity", count["circle"])
	}
	for _, want := range []string{"scan <&>", "flood", "intensity", "enforced", "100 %"} {
		if !strings.Contains(text, want) {
			t.Errorf("the drawing does not say %q", want)
		}
	}
	if bytes.Contains(document, []byte("NaN")) || bytes.Contains(document, []byte("Inf")) {
		t.Error("a coordinate is no number")
	}
}

func TestCalibrationPlotShowsTheUpperLimitWhereNothingWasSeen(t *testing.T) {
	document := plotted().CalibrationPlot()
	count, text := elements(t, document)
	if count["circle"] != 2 || strings.Count(string(document), `fill="#ffffff" stroke`) != 1 {
		t.Errorf("%d points, want a full and an empty one", count["circle"])
	}
	for _, want := range []string{"1e-5", "nominal", "actual = nominal", "1000 client-days"} {
		if !strings.Contains(text, want) {
			t.Errorf("the drawing does not say %q", want)
		}
	}
	if bytes.Contains(document, []byte("NaN")) || bytes.Contains(document, []byte("Inf")) {
		t.Error("a coordinate is no number")
	}
}

func TestFrameKeepsValuesOnItsAxis(t *testing.T) {
	f := frame{top: 10, height: 100, lowY: 0, highY: 2, left: 5, width: 10, highX: 1}
	for v, want := range map[float64]float64{0: 110, 1: 60, 2: 10, 9: 10, -9: 110} {
		if got := f.y(v); got != want {
			t.Errorf("y(%g) = %g, want %g", v, got, want)
		}
	}
	if got := f.x(.5); got != 10 {
		t.Errorf("x(.5) = %g", got)
	}
}
