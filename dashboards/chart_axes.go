package dashboards

import (
	"math"
	"time"

	"sundew"
)

// plot is the area of a chart that data is drawn in, with the way from time and value to coordinates.
type plot struct {
	left, top, width, height float64
	sundew.Range
	max float64 // value at the upper edge
}

func (p plot) x(t time.Time) float64 {
	return p.left + p.width*t.Sub(p.From).Seconds()/p.To.Sub(p.From).Seconds()
}

func (p plot) y(value float64) float64 { return p.top + p.height*(1-value/p.max) }

func (p plot) right() float64  { return p.left + p.width }
func (p plot) bottom() float64 { return p.top + p.height }

// tickSteps are the distances that labels of a time axis may have.
var tickSteps = [...]time.Duration{
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour,
	24 * time.Hour, 2 * 24 * time.Hour, 7 * 24 * time.Hour, 14 * 24 * time.Hour, 28 * 24 * time.Hour,
}

// labelWidth is the room of one label of the time axis.
const labelWidth = 64

// timeTicks returns round times of the range, far enough apart for their labels.
func (p plot) timeTicks() (ticks []time.Time, layout string) {
	room := max(1, int(p.width/labelWidth))
	step := tickSteps[len(tickSteps)-1]
	for _, s := range tickSteps {
		if p.To.Sub(p.From) <= time.Duration(room)*s {
			step = s
			break
		}
	}
	layout = "15:04"
	if step >= 24*time.Hour {
		layout = "2 Jan"
	}
	for t := p.From.Truncate(step); t.Before(p.To); t = t.Add(step) {
		if !t.Before(p.From) {
			ticks = append(ticks, t)
		}
	}
	return ticks, layout
}

// drawTimeAxis writes the labels below the plot; the first of a day names the day.
func (p plot) drawTimeAxis(s *svg) {
	ticks, layout := p.timeTicks()
	s.start("g", attrs{"class", "axis"})
	for _, t := range ticks {
		label := t.Format(layout)
		if layout == "15:04" && t.Equal(t.Truncate(24*time.Hour)) {
			label = t.Format("2 Jan")
		}
		x := p.x(t)
		s.leaf("line", attrs{"x1", x, "x2", x, "y1", p.bottom(), "y2", p.bottom() + 4})
		s.text("text", attrs{"x", max(x, p.left+14), "y", p.bottom() + 16, "text-anchor", "middle"}, label)
	}
	s.end()
}

// niceMax returns the round value at or above the largest, and the distance of three or four lines below it.
func niceMax(largest float64) (top, step float64) {
	if !(largest > 4) || math.IsInf(largest, 1) {
		return 4, 2
	}
	unit := math.Pow(10, math.Floor(math.Log10(largest/4)))
	for _, k := range [...]float64{1, 2, 2.5, 5, 10} {
		if step = k * unit; 4*step >= largest && (step >= 10 || step == math.Trunc(step)) {
			break
		}
	}
	return math.Ceil(largest/step) * step, step
}
