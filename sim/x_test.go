package sim
import ("testing";"fmt";"io";"errors";"time")
func TestX(t *testing.T){
 for _, c := range []Config{DefaultConfig(), Demo(time.Date(2026,11,2,9,0,0,0,time.UTC))} {
  if c.Clients==120 {c.Duration=4*time.Minute}
  tr,err:=New(c); if err!=nil{t.Fatal(err)}
  began:=time.Now()
  counts:=map[Label]int{}
  n:=0
  for { _,l,err:=tr.NextLabelled(t.Context()); if errors.Is(err,io.EOF){break}; counts[l]++; n++ }
  fmt.Println(n, time.Since(began), float64(n)/time.Since(began).Seconds(), len(tr.queue))
  for l,k:=range counts{fmt.Println(l,k)}
  for _,ca:=range tr.Truth().Campaigns{fmt.Println(ca.Name,ca.Start.Format("15:04:05"),ca.End.Format("15:04:05"),len(ca.Entities),ca.Entities[0])}
  for _,ca:=range tr.Truth().Segments{fmt.Println(ca.Name,ca.Clients,len(ca.Shared))}
 }
}
