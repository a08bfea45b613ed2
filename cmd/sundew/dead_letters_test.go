package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"sundew"
	"sundew/ingest"
)

// scriptBroker is the command "broker CONFIG LETTERS" of test scripts: it starts an embedded broker for as long as the script
// lasts, writes a configuration that names it, and fills its topic of dead letters with the lines of LETTERS.
func scriptBroker(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("want: broker CONFIG LETTERS")
	}
	c := defaultBrokerConfig()
	c.Port = 0
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	address, closeBroker, err := startBroker(ctx, c, ts.MkAbs("data"), slog.New(slog.DiscardHandler))
	ts.Check(err)
	ts.Defer(closeBroker)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), fmt.Appendf(nil, "kafka: {brokers: [%q]}\n", address), 0o600))

	kafka := ingest.DefaultKafkaConfig()
	kafka.Brokers = []string{address}
	ts.Check(ingest.EnsureTopics(ctx, kafka, 1))
	producer, err := ingest.NewProducer(kafka, ingest.ProducerOptions{})
	ts.Check(err)
	running, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- producer.Run(running) }()
	var letters []sundew.DeadLetter
	for line := range bytes.Lines([]byte(ts.ReadFile(args[1]))) {
		var l sundew.DeadLetter
		ts.Check(json.Unmarshal(line, &l))
		letters = append(letters, l)
	}
	ts.Check(ingest.NewDeadLetterPublisher(producer).Reject(ctx, letters))
	stop()
	ts.Check(<-done)
}
