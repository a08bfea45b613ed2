package store

import (
	"testing"
	"time"
)

func TestMinutesStartWhereTheEnginesDo(t *testing.T) {
	d := openDuckDB(t, "")
	for _, micros := range []int64{0, 1, -1, 59_999_999, 60_000_000, -60_000_000, -60_000_001, noon.UnixMicro(), noon.UnixMicro() - 1, time.Date(1901, 1, 1, 0, 0, 30, 0, time.UTC).UnixMicro()} {
		want, err := collect(t.Context(), d.db, `SELECT epoch_us(date_trunc('minute', make_timestamp(CAST(? AS BIGINT))))`, func(r row) (n int64, err error) { return n, r.Scan(&n) }, micros)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "start of the minute", startOfMinute(micros), want[0])
	}
}
