package dashboards

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// points writes a score of 0 to 100 without a false claim of precision at the ends.
func points(x float64) string {
	x = min(max(finite(x), 0), 100)
	switch {
	case x > 99 && x < 99.95:
		return strconv.FormatFloat(x, 'f', 1, 64)
	case x > 0 && x < 1:
		return "<1"
	}
	return strconv.FormatFloat(math.Round(x), 'f', 0, 64)
}

// number writes a quantity with three digits that count.
func number(x float64) string {
	x = finite(x)
	switch size := math.Abs(x); {
	case size >= 1e15:
		return strconv.FormatFloat(x, 'e', 2, 64)
	case size >= 100 || x == math.Trunc(x):
		return grouped(int64(math.Round(x)))
	case size >= 1:
		return trimZeros(strconv.FormatFloat(x, 'f', 2, 64))
	case size < 1e-4:
		return strconv.FormatFloat(x, 'e', 1, 64)
	}
	return trimZeros(strconv.FormatFloat(x, 'f', 4, 64))
}

func trimZeros(text string) string { return strings.TrimRight(strings.TrimRight(text, "0"), ".") }

// grouped writes an integer with thin separators: 1,234,567.
func grouped[T int | int64](n T) string {
	digits := strconv.FormatInt(int64(n), 10)
	sign := ""
	if digits[0] == '-' {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// compact writes a count in at most four characters or so: 950, 1.2k, 34k, 5.6M.
func compact(x float64) string {
	x = finite(x)
	for _, unit := range [...]struct {
		size float64
		sign string
	}{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if math.Abs(x) < unit.size {
			continue
		}
		digits := 1
		if math.Abs(x) >= 10*unit.size {
			digits = 0
		}
		return strings.TrimSuffix(strconv.FormatFloat(x/unit.size, 'f', digits, 64), ".0") + unit.sign
	}
	return trimDecimal(x)
}

func trimDecimal(x float64) string {
	if x == math.Trunc(x) {
		return strconv.FormatFloat(x, 'f', 0, 64)
	}
	return trimZeros(strconv.FormatFloat(x, 'f', 2, 64))
}

// odds says by how much evidence of so many nats multiplies the odds of abuse.
func odds(nats float64) string {
	factor := math.Exp(finite(nats))
	if math.IsInf(factor, 1) || factor >= 1e6 {
		return "more than a million"
	}
	return number(factor)
}

// duration writes a time span in its two largest units: 2 d 3 h, 4 min 10 s, 1.5 s, 250 ms.
func duration(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + duration(-max(d, math.MinInt64+1))
	case d == 0:
		return "0 s"
	case d < time.Millisecond:
		return strconv.FormatInt(d.Microseconds(), 10) + " µs"
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	case d < time.Minute:
		return trimDecimal(math.Floor(d.Seconds()*10)/10) + " s"
	}
	units := [...]struct {
		size time.Duration
		sign string
	}{{24 * time.Hour, " d"}, {time.Hour, " h"}, {time.Minute, " min"}, {time.Second, " s"}}
	for i, unit := range units {
		if d < unit.size {
			continue
		}
		text := strconv.FormatInt(int64(d/unit.size), 10) + unit.sign
		if i+1 < len(units) && d%unit.size >= units[i+1].size {
			text += " " + strconv.FormatInt(int64(d%unit.size/units[i+1].size), 10) + units[i+1].sign
		}
		return text
	}
	return "0 s"
}

// clock writes a time for a table: the time of day, with the date where it is not today's.
func clock(t, now time.Time) string {
	if sameDay(t, now) {
		return t.UTC().Format("15:04:05")
	}
	return t.UTC().Format("2 Jan 15:04:05")
}

// distance says how far a time is from now: "in 4 min", "12 s ago".
func distance(t, now time.Time) string {
	switch d := t.Sub(now); {
	case d > 0:
		return "in " + duration(d.Truncate(time.Second))
	case d > -time.Second:
		return "just now"
	default:
		return duration((-d).Truncate(time.Second)) + " ago"
	}
}
