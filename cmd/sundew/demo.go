package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"sundew"
	"sundew/sim"
)

// drive plays simulated visitors and attacks in real time through the ingest listener, like a gateway.
func (s *server) drive(ctx context.Context) error {
	traffic, err := sim.New(sim.Demo(time.Now().UTC()))
	if err != nil {
		return err
	}
	gateway := demoGateway{url: "http://" + s.config.Listen + "/ingest/v1/logs", epoch: uint64(time.Now().UnixMilli())}
	return sim.Pace(ctx, traffic, 1, time.Now, gateway.send)
}

// demoGateway posts batches of lines and sends one again when the listener is busy.
type demoGateway struct {
	url   string
	epoch uint64 // of this start: its requests are no repeats of those of the last
	body  bytes.Buffer
}

func (g *demoGateway) send(ctx context.Context, events []sundew.Event) error {
	g.body.Reset()
	var line []byte
	for i := range events {
		events[i].GatewayEpoch = g.epoch
		line = append(events[i].AppendJSON(line[:0]), '\n')
		g.body.Write(line)
	}
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, g.url, bytes.NewReader(g.body.Bytes()))
		if err != nil {
			return err
		}
		request.Header.Set("Content-Type", "application/x-ndjson")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return fmt.Errorf("send demo traffic: %w", err)
		}
		answer, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10))
		if err := response.Body.Close(); err != nil {
			return err
		}
		switch response.StatusCode {
		case http.StatusAccepted:
			return nil
		case http.StatusServiceUnavailable, http.StatusTooManyRequests:
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
				return ctx.Err()
			}
		default:
			return fmt.Errorf("send demo traffic: %s: %s", response.Status, answer)
		}
	}
}
