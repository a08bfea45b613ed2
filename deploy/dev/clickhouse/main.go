// Command clickhouse serves the HTTP protocol of ClickHouse from the engine as a library, for development and tests on
// machines that have no ClickHouse server. The engine is the real one; the server around it has one user, no passwords, and
// as much of the protocol as clickhouse-go speaks. It listens on loopback and is no part of the product.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	var (
		path     = flag.String("library", os.Getenv("LIBCHDB"), "`path` of libchdb.so")
		dir      = flag.String("dir", "", "`directory` of the data; a temporary one where none is named")
		listen   = flag.String("listen", "127.0.0.1:18123", "`address` to answer on")
		untilEOF = flag.Bool("until-eof", false, "end when the standard input does, so that no server outlives who started it")
	)
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if *untilEOF {
		go func() { _, _ = io.Copy(io.Discard, os.Stdin); stop() }()
	}
	if err := serve(ctx, *path, *dir, *listen); err != nil {
		log.Fatal(err)
	}
}

func serve(ctx context.Context, path, dir, listen string) error {
	if dir == "" {
		temporary, err := os.MkdirTemp("", "clickhouse")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(temporary) }()
		dir = temporary
	}
	engine, err := loadLibrary(path, dir)
	if err != nil {
		return err
	}
	socket, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: &handler{engine}}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	fmt.Printf("http://%s\n", socket.Addr())
	if err := server.Serve(socket); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
