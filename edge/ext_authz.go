package edge

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"

	"sundew"
)

// ExtAuthzConfig is for Envoy's external authorization.
type ExtAuthzConfig struct {
	Listen string `yaml:"listen"` // gRPC; empty for none
	// FaultDelay lets Envoy hold a tarpitted request: the answer comes at once and names the delay in
	// x-envoy-fault-delay-request, for a fault filter with header_delay behind ext_authz. Otherwise the answer waits, and the
	// timeout of Envoy's ext_authz must be longer than edge.proxy.max_delay.
	FaultDelay bool `yaml:"fault_delay"`
}

// Validate reports the first setting that cannot be used.
func (c ExtAuthzConfig) Validate() error {
	if c.Listen == "" {
		return nil
	}
	_, _, err := net.SplitHostPort(c.Listen)
	return err
}

const (
	faultDelay    = "x-envoy-fault-delay-request"
	maxCheck      = 1 << 20 // bytes of a question
	maxCheckQueue = 10_000  // questions at a time on one connection
)

// clientFaults are headers by which a client could command a fault filter.
var clientFaults = []string{faultDelay, "x-envoy-fault-abort-request", "x-envoy-fault-abort-grpc-request", "x-envoy-fault-throughput-response"}

// extAuthz answers Envoy's questions from a gate.
type extAuthz struct {
	authv3.UnimplementedAuthorizationServer
	ExtAuthzConfig
	gate *Gate
}

// NewExtAuthz returns a gRPC server of envoy.service.auth.v3.Authorization and of grpc.health.v1.Health. A request passes
// with OK and the headers of Gate.ForwardAuth, also as dynamic metadata (action, delay_ms, decision) for Envoy's log; or
// it is denied with 403, or 429 and Retry-After. A question without a request is answered InvalidArgument, on which
// failure_mode_allow decides. No event is shipped: Envoy's log knows more.
func NewExtAuthz(c ExtAuthzConfig, g *Gate) *grpc.Server {
	s := grpc.NewServer(grpc.MaxRecvMsgSize(maxCheck), grpc.MaxConcurrentStreams(maxCheckQueue), grpc.ConnectionTimeout(5*time.Second))
	authv3.RegisterAuthorizationServer(s, &extAuthz{ExtAuthzConfig: c, gate: g})
	healthv1.RegisterHealthServer(s, health.NewServer())
	return s
}

// Check answers one question.
func (x *extAuthz) Check(ctx context.Context, question *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	r, err := checkedRequest(ctx, question)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	start := time.Now()
	e := x.gate.eventOf(r, start)
	wait := x.gate.holdHere
	if x.FaultDelay {
		wait = x.gate.holdThere
	}
	v := x.gate.judge(r, &e, start, wait)
	if v.status == statusClientLeft {
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	if v.refuses() {
		return denied(v, &e), nil
	}
	return x.allowed(v, &e), nil
}

// checkedRequest is the request that Envoy asks about.
func checkedRequest(ctx context.Context, question *authv3.CheckRequest) (*http.Request, error) {
	asked := question.GetAttributes().GetRequest().GetHttp()
	if asked == nil {
		return nil, errors.New("the question has no attributes.request.http")
	}
	header := make(http.Header, len(asked.GetHeaders()))
	for name, value := range asked.GetHeaders() {
		if !strings.HasPrefix(name, ":") {
			header.Set(name, value)
		}
	}
	for _, h := range asked.GetHeaderMap().GetHeaders() { // with encode_raw_headers
		if value := firstText(h.GetValue(), string(h.GetRawValue())); !strings.HasPrefix(h.GetKey(), ":") {
			header.Add(h.GetKey(), value)
		}
	}
	source := question.GetAttributes().GetSource().GetAddress().GetSocketAddress()
	r := &http.Request{
		Method: asked.GetMethod(), URL: targetOf(asked.GetPath()), Host: asked.GetHost(), Header: header,
		ProtoMajor: 1, ContentLength: asked.GetSize(),
		RemoteAddr: net.JoinHostPort(source.GetAddress(), strconv.Itoa(int(source.GetPortValue()))),
	}
	return r.WithContext(ctx), nil
}

func (x *extAuthz) allowed(v verdict, e *sundew.Event) *authv3.CheckResponse {
	ok := &authv3.OkHttpResponse{HeadersToRemove: clientFaults}
	for name, value := range notes(v, e) {
		ok.Headers = append(ok.Headers, headerOption(name, value))
	}
	if x.FaultDelay && v.held > 0 {
		ok.Headers = append(ok.Headers, headerOption(faultDelay, strconv.FormatInt(v.held.Milliseconds(), 10)))
		ok.HeadersToRemove = clientFaults[1:]
	}
	return &authv3.CheckResponse{
		Status:          &rpcstatus.Status{Code: int32(codes.OK)},
		HttpResponse:    &authv3.CheckResponse_OkResponse{OkResponse: ok},
		DynamicMetadata: metadata(v, e),
	}
}

func denied(v verdict, e *sundew.Event) *authv3.CheckResponse {
	body, _ := json.Marshal(v.problem()) // strings and a number
	headers := []*corev3.HeaderValueOption{
		headerOption("Content-Type", "application/problem+json"), headerOption("Cache-Control", "no-store"),
	}
	code := codes.PermissionDenied
	if v.status == http.StatusTooManyRequests {
		code = codes.ResourceExhausted
		retry := http.Header{}
		setRetryAfter(retry, v.retry)
		headers = append(headers, headerOption("Retry-After", retry.Get("Retry-After")))
	}
	return &authv3.CheckResponse{
		Status: &rpcstatus.Status{Code: int32(code)},
		HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: &authv3.DeniedHttpResponse{
			Status: &typev3.HttpStatus{Code: typev3.StatusCode(v.status)}, Headers: headers, Body: string(body) + "\n",
		}},
		DynamicMetadata: metadata(v, e),
	}
}

// metadata is what was done, nil where nothing was.
func metadata(v verdict, e *sundew.Event) *structpb.Struct {
	if v.action == sundew.ActionNone {
		return nil
	}
	return &structpb.Struct{Fields: map[string]*structpb.Value{
		"action":   structpb.NewStringValue(v.action.String()),
		"delay_ms": structpb.NewNumberValue(float64(v.held.Milliseconds())),
		"decision": structpb.NewStringValue(e.DecisionID),
	}}
}

func headerOption(name, value string) *corev3.HeaderValueOption {
	return &corev3.HeaderValueOption{
		Header:       &corev3.HeaderValue{Key: strings.ToLower(name), Value: value},
		AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
	}
}
