package dashboards

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// themes reads the colours of the style sheet: the light ones, and the dark ones over them.
func themes(t *testing.T) map[string]map[string]string {
	t.Helper()
	css, err := staticFiles.ReadFile("static/app.css")
	if err != nil {
		t.Fatal(err)
	}
	colour := regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{6});`)
	light, rest, _ := strings.Cut(string(css), "@media (prefers-color-scheme: dark)")
	night, _, _ := strings.Cut(rest, "*, *::before")
	all := map[string]map[string]string{"light": {}, "dark": {}}
	for _, m := range colour.FindAllStringSubmatch(light, -1) {
		all["light"][m[1]], all["dark"][m[1]] = m[2], m[2]
	}
	for _, m := range colour.FindAllStringSubmatch(night, -1) {
		all["dark"][m[1]] = m[2]
	}
	return all
}

// luminance is the relative luminance of WCAG 2.2.
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	n, err := strconv.ParseUint(strings.TrimPrefix(hex, "#"), 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	linear := func(v uint64) float64 {
		c := float64(v&0xff) / 255
		if c <= .04045 {
			return c / 12.92
		}
		return math.Pow((c+.055)/1.055, 2.4)
	}
	return .2126*linear(n>>16) + .7152*linear(n>>8) + .0722*linear(n)
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	x, y := luminance(t, a), luminance(t, b)
	return (max(x, y) + .05) / (min(x, y) + .05)
}

// TestContrast checks WCAG AA: 4.5 for text, 3 for what a chart or a border must show against its ground.
func TestContrast(t *testing.T) {
	grounds := []string{"ground", "surface", "sunken"}
	for theme, c := range themes(t) {
		check := func(front, back string, least float64) {
			if c[front] == "" || c[back] == "" {
				t.Fatalf("%s theme lacks --%s or --%s", theme, front, back)
			}
			if got := contrast(t, c[front], c[back]); got < least {
				t.Errorf("%s theme: --%s on --%s has a contrast of %.2f, want %.1f", theme, front, back, got, least)
			}
		}
		for _, back := range grounds {
			for _, front := range []string{"ink", "soft", "leaf", "observe", "tarpit", "challenge", "block"} {
				check(front, back, 4.5)
			}
		}
		for _, rung := range []string{"observe", "tarpit", "challenge", "block"} {
			check(rung, rung+"-tint", 4.5)
			check("soft", rung+"-tint", 4.5)
		}
		check("leaf", "leaf-tint", 4.5)
		check("surface", "leaf", 4.5)
		check("surface", "block", 4.5)
		check("bar-ink", "bar", 4.5)
		check("bar-soft", "bar", 4.5)
		for _, front := range []string{"challenge-fill", "block-fill", "client", "server"} {
			check(front, "surface", 3)
		}
	}
}
