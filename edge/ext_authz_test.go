package edge

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"sundew"
)

// question is what Envoy asks about a request of a client, through the proxy on this machine.
func question(client, path string, headers ...string) *authv3.CheckRequest {
	all := map[string]string{":path": path, ":method": "GET", "x-forwarded-for": client}
	for i := 0; i < len(headers); i += 2 {
		all[headers[i]] = headers[i+1]
	}
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source: &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
			Address: "127.0.0.1", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 40000},
		}}}},
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{Method: "GET", Path: path, Host: "api.example.org", Headers: all}},
	}}
}

func serveAuthz(t *testing.T, c ExtAuthzConfig, g *Gate) *grpc.ClientConn {
	t.Helper()
	socket, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := NewExtAuthz(c, g)
	done := make(chan error, 1)
	go func() { done <- server.Serve(socket) }()
	client, err := grpc.NewClient(socket.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = client.Close()
		server.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return client
}

func TestExtAuthz(t *testing.T) {
	g := newGate(t, nil,
		decision(t, "ip:192.0.2.1", sundew.ActionBlock, "secret-rule", now0),
		decision(t, "ip:192.0.2.3", sundew.ActionTarpit, "secret-rule", now0, delayed(30*time.Millisecond)),
		decision(t, "device:d1", sundew.ActionChallenge, "secret-rule", now0),
	)
	client := serveAuthz(t, ExtAuthzConfig{}, g)
	for _, tt := range []struct {
		story    string
		question *authv3.CheckRequest
		status   int // 0: it passes
		action   string
	}{
		{"anybody", question("192.0.2.9", "/a"), 0, ""},
		{"a block", question("192.0.2.1", "/a"), 403, "block"},
		{"a tarpit", question("192.0.2.3", "/a"), 0, "tarpit"},
		{"a device", question("192.0.2.9", "/a", "x-device-guid", "d1"), 403, "challenge"},
		{"health checks pass", question("192.0.2.1", "/healthz"), 0, ""},
	} {
		t.Run(tt.story, func(t *testing.T) {
			got, err := authv3.NewAuthorizationClient(client).Check(t.Context(), tt.question)
			if err != nil {
				t.Fatal(err)
			}
			if got := int(got.GetDeniedResponse().GetStatus().GetCode()); got != tt.status {
				t.Errorf("status %d, want %d", got, tt.status)
			}
			if passes := got.GetStatus().GetCode() == int32(codes.OK); passes != (tt.status == 0) || passes != (got.GetOkResponse() != nil) {
				t.Errorf("%v", got)
			}
			if action := got.GetDynamicMetadata().GetFields()["action"].GetStringValue(); action != tt.action {
				t.Errorf("action %q in the metadata, want %q", action, tt.action)
			}
		})
	}
	if _, err := authv3.NewAuthorizationClient(client).Check(t.Context(), &authv3.CheckRequest{}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("a question about nothing: %v", err)
	}
	health, err := healthv1.NewHealthClient(client).Check(t.Context(), &healthv1.HealthCheckRequest{})
	if err != nil || health.GetStatus() != healthv1.HealthCheckResponse_SERVING {
		t.Errorf("health: %v, %v", health, err)
	}
}

// TestExtAuthzLetsEnvoyHold names the delay and keeps the client's room until it is over.
func TestExtAuthzLetsEnvoyHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from := func(d *sundew.Decision) { d.Time, d.Expires = time.Now(), time.Now().Add(time.Hour) }
		g := newGate(t, func(c *GateConfig) { c.Caps.PerKey = 1 }, decision(t, "ip:192.0.2.3", sundew.ActionTarpit, "scan", from))
		x := &extAuthz{ExtAuthzConfig: ExtAuthzConfig{FaultDelay: true}, gate: g}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		start := time.Now()
		first, err := x.Check(ctx, question("192.0.2.3", "/a", faultDelay, "1"))
		if err != nil || time.Since(start) != 0 {
			t.Fatalf("%v after %s", err, time.Since(start))
		}
		var delay string
		for _, h := range first.GetOkResponse().GetHeaders() {
			if h.GetHeader().GetKey() == faultDelay {
				delay = h.GetHeader().GetValue()
			}
		}
		if delay < "1800" || delay > "2200" {
			t.Errorf("Envoy is told to wait for %q ms, want 1800 to 2200", delay)
		}
		second, err := x.Check(ctx, question("192.0.2.3", "/a"))
		if err != nil || second.GetDeniedResponse().GetStatus().GetCode() != 429 {
			t.Errorf("while the first waits: %v, %v", second, err)
		}
		time.Sleep(3 * time.Second) // of false time
		if third, err := x.Check(ctx, question("192.0.2.3", "/a")); err != nil || third.GetOkResponse() == nil {
			t.Errorf("when it waits no longer: %v, %v", third, err)
		}
		innocent, err := x.Check(ctx, question("192.0.2.9", "/a", faultDelay, "1"))
		if err != nil || len(innocent.GetOkResponse().GetHeadersToRemove()) != len(clientFaults) {
			t.Errorf("a client must not command the fault filter: %v, %v", innocent, err)
		}
		time.Sleep(3 * time.Second)
	})
}
