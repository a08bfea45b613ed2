package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"sundew/ingest"
)

// progress redraws one line on a terminal and is silent elsewhere.
type progress struct {
	w     io.Writer // nil where nobody looks
	start time.Time
	drawn time.Time
}

func newProgress(w io.Writer) *progress {
	p := &progress{start: time.Now()}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.w = w
	}
	return p
}

// show is called with the bytes read and, where known, of how many.
func (p *progress) show(read, total int64) {
	now := time.Now()
	if p.w == nil || now.Sub(p.drawn) < 100*time.Millisecond {
		return
	}
	p.drawn = now
	rate := float64(read) / 1e6 / max(now.Sub(p.start).Seconds(), 1e-3)
	if total <= 0 {
		fmt.Fprintf(p.w, "\r\x1b[K%.1f MB  %.1f MB/s", float64(read)/1e6, rate)
		return
	}
	fmt.Fprintf(p.w, "\r\x1b[K%s %3d %%  %.1f MB/s", bar(read, total), 100*min(read, total)/total, rate)
}

// showShare is called with the part of the work that is done and the whole of it.
func (p *progress) showShare(done, total int64) {
	now := time.Now()
	if p.w == nil || now.Sub(p.drawn) < 100*time.Millisecond {
		return
	}
	p.drawn = now
	fmt.Fprintf(p.w, "\r\x1b[K%s %3d %%", bar(done, total), 100*min(done, total)/total)
}

// bar draws the part that is done.
func bar(done, total int64) string {
	const width = 30
	full := int(width * min(done, total) / total)
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", width-full) + "]"
}

func (p *progress) done() {
	if p.w != nil && !p.drawn.IsZero() {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

// linesSummary says what became of the lines: "lines 10, parsed 8, rejected 2" and the reasons below.
func linesSummary(s ingest.Stats) string {
	var out strings.Builder
	var rejected int64
	reasons := make([]string, 0, len(s.Rejected))
	for reason, n := range s.Rejected {
		rejected += n
		reasons = append(reasons, reason)
	}
	slices.Sort(reasons)
	fmt.Fprintf(&out, "lines     %d\nparsed    %d\nskipped   %d\n", s.Lines, s.Parsed, s.Skipped)
	if s.Repeated > 0 {
		fmt.Fprintf(&out, "repeated  %d\n", s.Repeated)
	}
	fmt.Fprintf(&out, "rejected  %d\n", rejected)
	for _, reason := range reasons {
		fmt.Fprintf(&out, "  %-40s %d\n", reason, s.Rejected[reason])
	}
	return out.String()
}

func formatNames() string {
	var names []string
	for _, f := range ingest.Formats() {
		names = append(names, f.Name)
	}
	return strings.Join(names, ", ")
}
