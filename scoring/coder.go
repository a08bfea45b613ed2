package scoring

import "math"

// coder carries the fields of a state to bytes or back, little-endian, one after the other. A loop over its
// fields by reflection takes several times as long.
type coder struct {
	raw    []byte // what is still to be written or read
	writes bool
}

func (c *coder) u8(v *uint8) {
	if c.writes {
		c.raw[0] = *v
	} else {
		*v = c.raw[0]
	}
	c.raw = c.raw[1:]
}

func (c *coder) u16(v *uint16) {
	if c.writes {
		order.PutUint16(c.raw, *v)
	} else {
		*v = order.Uint16(c.raw)
	}
	c.raw = c.raw[2:]
}

func (c *coder) u32(v *uint32) {
	if c.writes {
		order.PutUint32(c.raw, *v)
	} else {
		*v = order.Uint32(c.raw)
	}
	c.raw = c.raw[4:]
}

func (c *coder) u64(v *uint64) {
	if c.writes {
		order.PutUint64(c.raw, *v)
	} else {
		*v = order.Uint64(c.raw)
	}
	c.raw = c.raw[8:]
}

func (c *coder) f32(v *float32) {
	bits := math.Float32bits(*v)
	c.u32(&bits)
	*v = math.Float32frombits(bits)
}

// walk carries every field, in the order in which hot declares them, but the numbers of the other parts.
func (s *hot) walk(c *coder) {
	c.u64(&s.Hash)
	c.u32(&s.First)
	c.u32(&s.Last)
	c.u8(&s.Kind)
	c.u8(&s.Points)
	c.u8(&s.DayPoints)
	c.u8(&s.Told)
	c.u16(&s.Day)
	c.u16(&s.InMinute)
	c.u32(&s.Minute)
	c.f32(&s.DayMost)
	for ch := range s.HotLedgers {
		c.f32((*float32)(&s.HotLedgers[ch]))
	}
	c.f32((*float32)(&s.All))
	c.u32(&s.Trials)
	c.f32(&s.PastMean)
	c.f32(&s.PastWindows)
	c.u32(&s.TodayCount)
	c.f32(&s.LatestMean)
	for i := range s.RateWeights {
		c.f32(&s.RateWeights[i])
	}
	for i := range 2 {
		c.u32(&s.PerHour[i])
	}
	for i := range 2 {
		c.u32(&s.BytesOut[i])
	}
	for i := range s.Paths {
		c.u64(&s.Paths[i])
	}
	for i := range s.Counts {
		c.u16(&s.Counts[i][0])
		c.u16(&s.Counts[i][1])
	}
	for i := range 2 {
		c.u16(&s.PerMin[i])
	}
	c.u16(&s.Windows)
	for i := range s.HotDuels {
		s.HotDuels[i].walk(c)
	}
	for i := range s.Lone {
		c.u8(&s.Lone[i])
	}
	c.u32(&s.ToldMinute)
	c.u32(&s.Hours)
	c.f32(&s.QuotaMean)
	c.f32(&s.QuotaDays)
	c.f32(&s.QuotaLimit)
}

// walk carries every field, in the order in which cold declares them.
func (s *cold) walk(c *coder) {
	c.u64(&s.LastObject)
	c.u32(&s.LastTimed)
	c.u32(&s.LastGap)
	for i := range s.Ledgers {
		c.f32((*float32)(&s.Ledgers[i]))
	}
	for i := range s.Duels {
		s.Duels[i].walk(c)
	}
}

// walk carries every field.
func (s *crowd) walk(c *coder) {
	for i := range s.Many {
		c.u64(&s.Many[i])
	}
}

// walk carries every field.
func (v *volume) walk(c *coder) {
	c.u32(&v.Window)
	c.f32(&v.Most)
	c.u16(&v.Of)
	c.u16(&v.Usual)
	for i := range v.Routes {
		h := &v.Routes[i]
		c.u16(&h.Class)
		c.u8(&h.Count)
		c.u8(&h.Peak)
		c.u8(&h.Before)
	}
}

func (d *duel) walk(c *coder) {
	c.u16(&d.Hits)
	c.u16(&d.Trials)
	c.u8(&d.NullHits)
	c.u8(&d.NullTrials)
	c.u8(&d.LatestHits)
	c.u8(&d.LatestTrials)
	c.u8((*uint8)(&d.PastHits))
	c.u8((*uint8)(&d.PastSize))
}
