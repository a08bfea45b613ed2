package main

import (
	"flag"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
)

// storeFlags say which store is meant.
type storeFlags struct {
	config, file *string
}

func newStoreFlags(flags *flag.FlagSet) storeFlags {
	return storeFlags{
		config: flags.String("config", "", "configuration `file`: that of the sundew run whose store is meant"),
		file:   flags.String("store", "", "store `file` instead of the configured one"),
	}
}

// load reads the configuration; its store has a path then.
func (f storeFlags) load() (Config, error) {
	c, err := loadConfig(*f.config)
	if err != nil {
		return c, err
	}
	if *f.file != "" {
		c.Store.Path = *f.file
	}
	if err := c.Store.Validate(); err != nil {
		return c, usageError{"store: " + err.Error()}
	}
	c.Store.Path = c.storePath()
	return c, nil
}

// storePath is the configured one, or the one in the data directory.
func (c *Config) storePath() string {
	if c.Store.Path == "" {
		return filepath.Join(c.DataDir, "store.duckdb")
	}
	return c.Store.Path
}

// console is where a sundew run of this machine and configuration serves.
func (c *Config) console() (base string, err error) {
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return "", err
	}
	if port == "0" {
		return "", fmt.Errorf("its address is unknown, because listen has port 0: give the URL that it printed with --server")
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port), nil
}

func quietLog() *slog.Logger { return slog.New(slog.DiscardHandler) }
