package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"sundew/store"
)

// StoreConfig says where history is kept: in a file of DuckDB, or on a ClickHouse. Points, retention and time-outs are
// the same for both.
type StoreConfig struct {
	store.DuckDBConfig `yaml:",inline"` // without a path, store.duckdb in DataDir

	ClickHouse store.ClickHouseConfig `yaml:"clickhouse"` // with a dsn, takes the place of DuckDB
	// Record says that `sundew run` copies the log to the store. Where `sundew record` does, it is false.
	Record bool `yaml:"record"`
}

func defaultStoreConfig() StoreConfig {
	c := StoreConfig{DuckDBConfig: store.DefaultDuckDBConfig(), ClickHouse: store.DefaultClickHouseConfig(), Record: true}
	c.Path = ""
	return c
}

func (c *StoreConfig) validate() error {
	err := c.Validate()
	if c.ClickHouse.DSN == "" {
		if !c.Record {
			err = errors.Join(err, errors.New("record: false: `sundew record` writes to a ClickHouse: name it in store.clickhouse.dsn, or remove this line"))
		}
	} else {
		clickHouse := c.clickHouse(nil)
		if problem := clickHouse.Validate(); problem != nil {
			err = errors.Join(err, fmt.Errorf("clickhouse: %w", problem))
		}
		if c.Path != "" {
			err = errors.Join(err, errors.New("path and clickhouse.dsn: a store is one or the other: remove one of the lines"))
		}
	}
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

func (c *StoreConfig) clickHouse(metrics prometheus.Registerer) store.ClickHouseConfig {
	with := c.ClickHouse
	with.MinPoints, with.Retention, with.QueryTimeout, with.Metrics = c.MinPoints, c.Retention, c.QueryTimeout, metrics
	return with
}

// storage is a store of either kind, with what it does beside its work.
type storage interface {
	reader
	store.BufferedStore
	Run(ctx context.Context) error
}

// openStorage opens the store that the configuration names.
func openStorage(ctx context.Context, c *Config, metrics prometheus.Registerer, log *slog.Logger) (storage, error) {
	if c.Store.ClickHouse.DSN != "" {
		s, err := store.OpenClickHouse(ctx, c.Store.clickHouse(metrics), log)
		if err != nil {
			return nil, err
		}
		log.Info("a ClickHouse keeps no evaluations: rules are tried on history with DuckDB alone")
		c.Store.Evaluations.Rate = 0
		return withoutEvaluations{s}, nil
	}
	c.Store.Path = c.storePath()
	c.Store.Metrics = metrics
	s, err := store.OpenDuckDB(ctx, c.Store.DuckDBConfig, log)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// withoutEvaluations is never asked for what it does not keep: the sampling chooses nothing.
type withoutEvaluations struct{ *store.ClickHouse }

func (withoutEvaluations) RecordEvaluations(context.Context, []store.Evaluation) error { return nil }
