package ingest

import (
	"bytes"
	"math"
	"strconv"
	"time"
)

// commonLogTime is the length of "10/Oct/2000:13:55:36 -0700".
const commonLogTime = 26

// parseCommonLogTime reads the time of the common log format, with its offset, as UTC.
func parseCommonLogTime(b []byte) (time.Time, bool) {
	if !isCommonLogTime(b) {
		return time.Time{}, false
	}
	month := monthOf(b[3:6])
	day, ok1 := digits(b[0:2])
	year, ok2 := digits(b[7:11])
	hour, ok3 := digits(b[12:14])
	minute, ok4 := digits(b[15:17])
	second, ok5 := digits(b[18:20])
	zoneHour, ok6 := digits(b[22:24])
	zoneMinute, ok7 := digits(b[24:26])
	if month == 0 || !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || !ok6 || !ok7 {
		return time.Time{}, false
	}
	if hour > 23 || minute > 59 || second > 60 || zoneHour > 23 || zoneMinute > 59 {
		return time.Time{}, false
	}
	offset := time.Duration(zoneHour)*time.Hour + time.Duration(zoneMinute)*time.Minute
	switch b[21] {
	case '+':
		offset = -offset
	case '-':
	default:
		return time.Time{}, false
	}
	midnight := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	if midnight.Day() != day { // 30 February
		return time.Time{}, false
	}
	local := time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute + time.Duration(second)*time.Second
	return inRange(midnight.Add(local + offset))
}

// isCommonLogTime is true for what has the shape of such a time, whatever the numbers say.
func isCommonLogTime(b []byte) bool {
	return len(b) == commonLogTime && b[2] == '/' && b[6] == '/' && b[11] == ':' && b[14] == ':' && b[17] == ':' && b[20] == ' '
}

// monthOf returns 0 for what is no English abbreviation of a month.
func monthOf(b []byte) time.Month {
	switch string(b) {
	case "Jan":
		return time.January
	case "Feb":
		return time.February
	case "Mar":
		return time.March
	case "Apr":
		return time.April
	case "May":
		return time.May
	case "Jun":
		return time.June
	case "Jul":
		return time.July
	case "Aug":
		return time.August
	case "Sep":
		return time.September
	case "Oct":
		return time.October
	case "Nov":
		return time.November
	case "Dec":
		return time.December
	}
	return 0
}

func digits(b []byte) (n int, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

// minute remembers the minute of the time that was read last, because the lines of a log follow each other: most are in
// the minute of the line before and differ in seconds. Its methods read what parseTimestamp and parseCommonLogTime do.
type minute struct {
	head  [len("24/Nov/2026:12:00:")]byte // the text in front of the seconds
	zone  [len(" +0000")]byte             // the text behind them, in the common log format
	start int64                           // in seconds since 1970
}

// Where the seconds stand.
const (
	isoSeconds    = len("2026-11-24T12:00:")
	commonSeconds = len("24/Nov/2026:12:00:")
)

func (m *minute) timestamp(b []byte) (time.Time, bool) {
	if len(b) > isoSeconds+2 && b[len(b)-1] == 'Z' && b[isoSeconds-1] == ':' {
		if t, ok := m.iso(b); ok {
			return t, true
		}
		t, ok := parseTimestamp(b)
		if ok && b[10] == 'T' && b[13] == ':' {
			copy(m.head[:], b[:isoSeconds])
			m.start = t.Unix() - int64(t.Second())
		}
		return t, ok
	}
	return parseTimestamp(b)
}

// iso reads a time of the same minute with Z for its zone.
func (m *minute) iso(b []byte) (t time.Time, ok bool) {
	if string(b[:isoSeconds]) != string(m.head[:isoSeconds]) {
		return time.Time{}, false
	}
	second, ok := digits(b[isoSeconds : isoSeconds+2])
	if !ok || second > 59 {
		return time.Time{}, false
	}
	fraction := b[isoSeconds+2 : len(b)-1]
	if len(fraction) == 0 {
		return time.Unix(m.start+int64(second), 0).UTC(), true
	}
	if fraction[0] != '.' || len(fraction) == 1 || len(fraction) > 10 {
		return time.Time{}, false
	}
	n, ok := digits(fraction[1:])
	if !ok {
		return time.Time{}, false
	}
	for i := len(fraction); i < 10; i++ {
		n *= 10
	}
	return time.Unix(m.start+int64(second), int64(n)).UTC(), true
}

func (m *minute) commonLogTime(b []byte) (time.Time, bool) {
	if len(b) != commonLogTime {
		return time.Time{}, false
	}
	if string(b[:commonSeconds]) == string(m.head[:]) && string(b[commonSeconds+2:]) == string(m.zone[:]) {
		if second, ok := digits(b[commonSeconds : commonSeconds+2]); ok && second <= 59 {
			return time.Unix(m.start+int64(second), 0).UTC(), true
		}
	}
	t, ok := parseCommonLogTime(b)
	if second, _ := digits(b[commonSeconds : commonSeconds+2]); ok {
		copy(m.head[:], b)
		copy(m.zone[:], b[commonSeconds+2:])
		m.start = t.Unix() - int64(second)
	}
	return t, ok
}

// looseLayouts are spellings of ISO 8601 that RFC 3339 does not allow; a time without a zone is UTC.
var looseLayouts = [...]string{
	"2006-01-02T15:04:05Z0700",
	"2006-01-02 15:04:05Z07:00",
	"2006-01-02 15:04:05 Z0700",
	"2006-01-02T15:04:05",
	"2006-01-02 15:04:05",
}

// wordLayouts are spellings that products made up or took from the C library; a time without a zone is UTC.
var wordLayouts = [...]string{
	time.ANSIC,
	time.UnixDate,
	time.RFC1123,
	time.RFC1123Z,
	"2006/01/02 15:04:05",
	"2006:01:02-15:04:05",
	"02/Jan/2006:15:04:05.999999999 -0700",
	"02/Jan/2006:15:04:05", // HAProxy, with a fraction too
}

// parseTimestamp reads RFC 3339 and its loose spellings, the common log format, spellings of products, and seconds, milliseconds, microseconds
// or nanoseconds since 1970, told apart by their magnitude. The result is UTC, in the years 1970 to 2199.
func parseTimestamp(b []byte) (time.Time, bool) {
	if len(b) == 0 || len(b) > 64 {
		return time.Time{}, false
	}
	if len(b) > 4 && b[4] == '-' {
		var t time.Time
		if t.UnmarshalText(b) == nil {
			return inRange(t)
		}
		for _, layout := range looseLayouts {
			if t, err := time.Parse(layout, string(b)); err == nil {
				return inRange(t)
			}
		}
		return time.Time{}, false
	}
	if b[0] == '[' && b[len(b)-1] == ']' {
		b = b[1 : len(b)-1]
	}
	if len(b) == commonLogTime && b[2] == '/' {
		return parseCommonLogTime(b)
	}
	if t, ok := parseEpoch(b); ok {
		return t, true
	}
	for _, layout := range wordLayouts {
		if t, err := time.Parse(layout, string(b)); err == nil {
			return inRange(t)
		}
	}
	return time.Time{}, false
}

// The years that a request can be of, 1970 to 2199. Others are those of clocks that are not set and of lines that are made
// up, and one far in the future would hold its decision until then.
const (
	firstSecond = 0
	lastSecond  = 7258118399
)

func inRange(t time.Time) (time.Time, bool) {
	second := t.Unix()
	return t.UTC(), firstSecond <= second && second <= lastSecond
}

// parseEpoch takes numbers below 1e11 as seconds (to the year 5138), below 1e14 as milliseconds, below 1e17 as
// microseconds and the others as nanoseconds.
func parseEpoch(b []byte) (time.Time, bool) {
	whole, ok := parseDecimal(b, 1)
	if !ok {
		return time.Time{}, false
	}
	unit := int64(time.Second)
	switch {
	case whole >= 1e17:
		unit = 1
	case whole >= 1e14:
		unit = int64(time.Microsecond)
	case whole >= 1e11:
		unit = int64(time.Millisecond)
	}
	perSecond := int64(time.Second) / unit
	t := time.Unix(whole/perSecond, whole%perSecond*unit)
	if unit > 1 {
		fraction, ok := parseDecimal(fractionOf(b), unit)
		if !ok {
			return time.Time{}, false
		}
		t = t.Add(time.Duration(fraction))
	}
	return inRange(t)
}

// fractionOf returns the part from the decimal point on, "0" where there is none or an exponent moves it.
func fractionOf(b []byte) []byte {
	point := bytes.IndexByte(b, '.')
	if point < 0 || bytes.ContainsAny(b, "eE") {
		return []byte("0")
	}
	return b[point:]
}

// parseDecimal returns floor(b * unit) for a decimal number that is not negative, exactly; unit is a power of ten up to
// 1e9. A number with an exponent goes through float64. ok is false for anything else and for what int64 cannot hold.
func parseDecimal(b []byte, unit int64) (n int64, ok bool) {
	if n, ok := parseShort(b, unit); ok {
		return n, true
	}
	return parseLong(b, unit)
}

func parseLong(b []byte, unit int64) (n int64, ok bool) {
	place := int64(0) // what the next digit is worth behind the point; 0 in front of it
	point := false
	for i, c := range b {
		digit := int64(c - '0')
		switch {
		case c == '.' && !point:
			point, place = true, unit
		case (c == 'e' || c == 'E') && ok:
			return parseExponent(b, unit)
		case c < '0' || c > '9' || i >= 64:
			return 0, false
		case point:
			place /= 10
			if n > math.MaxInt64-digit*place {
				return 0, false
			}
			n, ok = n+digit*place, true
		default:
			if n > (math.MaxInt64-digit*unit)/10 {
				return 0, false
			}
			n, ok = n*10+digit*unit, true
		}
	}
	return n, ok
}

// parseShort reads what parseDecimal does where up to nine digits stand in front of the point and behind it, which
// cannot overflow.
func parseShort(b []byte, unit int64) (n int64, ok bool) {
	i := 0
	for ; i < len(b) && b[i]-'0' < 10; i++ {
		n = n*10 + int64(b[i]-'0')
	}
	if i == 0 || i > 9 {
		return 0, false
	}
	n *= unit
	if i == len(b) {
		return n, true
	}
	if b[i] != '.' || len(b)-i > 10 || len(b)-i == 1 {
		return 0, false
	}
	fraction, place := int64(0), int64(1)
	for _, c := range b[i+1:] {
		if c-'0' > 9 {
			return 0, false
		}
		fraction = fraction*10 + int64(c-'0')
		place *= 10
	}
	return n + fraction*unit/place, true
}

func parseExponent(b []byte, unit int64) (int64, bool) {
	f, err := strconv.ParseFloat(string(b), 64)
	f *= float64(unit)
	if err != nil || math.IsNaN(f) || f < 0 || f >= math.MaxInt64 {
		return 0, false
	}
	return int64(f), true
}
