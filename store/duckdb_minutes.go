package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"time"

	"sundew"
)

// minuteCounts is what a batch adds to a minute.
type minuteCounts struct {
	start                                int64 // microseconds
	requests, clientErrors, serverErrors int64
}

const microsOfMinute = int64(time.Minute / time.Microsecond)

func startOfMinute(micros int64) int64 {
	return micros - (micros%microsOfMinute+microsOfMinute)%microsOfMinute
}

// minutesOf counts events by minute, in the order in which minutes appear.
func minutesOf(events []*sundew.Event) []*minuteCounts {
	index := map[int64]*minuteCounts{}
	var all []*minuteCounts
	for _, e := range events {
		start := startOfMinute(e.Time.UnixMicro())
		m, found := index[start]
		if !found {
			m = &minuteCounts{start: start}
			index[start] = m
			all = append(all, m)
		}
		m.requests++
		switch {
		case e.Status >= 400 && e.Status < 500:
			m.clientErrors++
		case e.Status >= 500 && e.Status < 600:
			m.serverErrors++
		}
	}
	return all
}

func appendMinute(values []driver.Value, m *minuteCounts) ([]driver.Value, error) {
	return append(values, time.UnixMicro(m.start).UTC(), m.requests, m.clientErrors, m.serverErrors), nil
}

// takeFromMinutes keeps the counts by minute in step with events that are about to leave.
func takeFromMinutes(ctx context.Context, conn *sql.Conn, leaving condition) error {
	_, err := conn.ExecContext(ctx, `
		INSERT INTO minutes
		SELECT date_trunc('minute', time) AS minute, -count(*), -count(*) FILTER (status BETWEEN 400 AND 499), -count(*) FILTER (status BETWEEN 500 AND 599)
		FROM events WHERE `+leaving.sql+` GROUP BY minute`, leaving.args...)
	return err
}
