package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"sundew"
	"sundew/ingest"
)

// letterFlags are the ones that list and replay have in common.
type letterFlags struct {
	config       *string
	filter       ingest.DeadLetterFilter
	since, until *string
}

func newLetterFlags(flags *flag.FlagSet) *letterFlags {
	f := &letterFlags{
		config: flags.String("config", "", "configuration `file`: that of the sundew run whose letters are meant"),
		since:  flags.String("since", "", "rejected at this `time` or later: RFC 3339, or a duration ago such as 2h"),
		until:  flags.String("until", "", "rejected before this `time`"),
	}
	flags.StringVar(&f.filter.Reason, "reason", "", "with this `reason` only")
	flags.StringVar(&f.filter.Source, "source", "", "from this `source` only")
	return f
}

// resolve reads the configuration and the times.
func (f *letterFlags) resolve(now time.Time) (c Config, err error) {
	if f.filter.Since, err = momentOf("since", *f.since, now); err != nil {
		return c, err
	}
	if f.filter.Until, err = momentOf("until", *f.until, now); err != nil {
		return c, err
	}
	if c, err = loadConfig(*f.config); err != nil {
		return c, err
	}
	c.Kafka, err = c.cluster()
	return c, err
}

// momentOf reads a time or a duration ago; the empty text is the zero time.
func momentOf(name, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, usageError{fmt.Sprintf("--%s is %q: want a time such as 2026-03-01T10:00:00Z, or a duration ago such as 2h", name, text)}
	}
	return t, nil
}

// cluster is the configured one, or the embedded broker of a sundew run with the same configuration.
func (c Config) cluster() (ingest.KafkaConfig, error) {
	if len(c.Kafka.Brokers) > 0 {
		return c.Kafka, nil
	}
	if c.Broker.Port == 0 {
		return c.Kafka, errors.New("broker.port is 0, so the embedded broker may be anywhere: set kafka.brokers to the address that sundew run prints")
	}
	c.Kafka.Brokers = []string{fmt.Sprintf("127.0.0.1:%d", c.Broker.Port)}
	return c.Kafka, nil
}

func runDeadLettersList(ctx context.Context, flags *flag.FlagSet, args []string, t terminal) error {
	common := newLetterFlags(flags)
	asJSON := flags.Bool("json", false, "one JSON object per letter")
	if _, err := parseFlags(flags, args, 0, 0); err != nil {
		return err
	}
	c, err := common.resolve(time.Now())
	if err != nil {
		return err
	}
	out := bufio.NewWriter(t.out)
	reasons := map[string]int{}
	n := 0
	err = ingest.ScanDeadLetters(ctx, c.Kafka, common.filter, func(letters []sundew.DeadLetter) error {
		for i := range letters {
			n++
			reasons[letters[i].Reason]++
			if err := writeLetter(out, letters[i], *asJSON); err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(err, out.Flush()); err != nil {
		return fmt.Errorf("dead-letters list: %w", err)
	}
	fmt.Fprintf(t.err, "letters   %d\n%s", n, reasonsTable(reasons))
	return nil
}

func writeLetter(out *bufio.Writer, l sundew.DeadLetter, asJSON bool) error {
	if !asJSON {
		_, err := fmt.Fprintf(out, "%s  %s  %s: %s: %.200q\n", l.Time.UTC().Format(time.RFC3339), letterPlace(l), l.Reason, l.Detail, l.Line)
		return err
	}
	line, err := json.Marshal(l)
	if err != nil {
		return err
	}
	_, err = out.Write(append(line, '\n'))
	return err
}

// letterPlace names source, partition and offset as the console does.
func letterPlace(l sundew.DeadLetter) string {
	return fmt.Sprintf("%s/%d:%d", l.Source, l.Partition, l.Offset)
}

func reasonsTable(reasons map[string]int) string {
	var out strings.Builder
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		fmt.Fprintf(&out, "  %-40s %d\n", reason, reasons[reason])
	}
	return out.String()
}

func runDeadLettersReplay(ctx context.Context, flags *flag.FlagSet, args []string, t terminal) error {
	common := newLetterFlags(flags)
	format := flags.String("format", "", "log `format` instead of the one that each letter has: auto or one of "+formatNames())
	dry := flags.Bool("dry-run", false, "print the events as JSON and change nothing")
	if _, err := parseFlags(flags, args, 0, 0); err != nil {
		return err
	}
	if _, err := ingest.NewDecoder(*format); err != nil {
		return usageError{err.Error()}
	}
	c, err := common.resolve(time.Now())
	if err != nil {
		return err
	}
	out := bufio.NewWriter(t.out)
	options := ingest.LetterReplayOptions{
		Ingest: c.Ingest, Format: *format, Filter: common.filter, Dry: *dry,
		OnFailure: func(l sundew.DeadLetter) {
			fmt.Fprintf(t.err, "%s: %s: %s: %.200q\n", letterPlace(l), l.Reason, l.Detail, l.Line)
		},
	}
	if *dry {
		options.OnEvent = func(e *sundew.Event) {
			_, _ = out.Write(append(e.AppendJSON(nil), '\n')) // Flush says what went wrong
		}
	}
	done, err := replayLetters(ctx, c, options, t)
	if err := errors.Join(err, out.Flush()); err != nil {
		return fmt.Errorf("dead-letters replay: %w", err)
	}
	failed := 0
	for _, n := range done.Failed {
		failed += n
	}
	fmt.Fprintf(t.err, "letters   %d\nevents    %d\nskipped   %d\nrejected  %d\n%s", done.Letters, done.Events, done.Skipped, failed, reasonsTable(done.Failed))
	return nil
}

// replayLetters runs a producer for as long as the replay lasts.
func replayLetters(ctx context.Context, c Config, o ingest.LetterReplayOptions, t terminal) (done ingest.LetterReplay, err error) {
	if err := ingest.Ping(ctx, c.Kafka); err != nil {
		return done, err
	}
	producer, err := ingest.NewProducer(c.Kafka, ingest.ProducerOptions{Logger: c.Log.logger(t.err)})
	if err != nil {
		return done, err
	}
	running, stop := context.WithCancel(ctx)
	var group errgroup.Group
	group.Go(func() error { return producer.Run(running) })
	done, err = ingest.ReplayDeadLetters(ctx, c.Kafka, producer, o)
	stop()
	return done, errors.Join(err, group.Wait())
}
