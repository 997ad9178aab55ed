// Reports what it reads, JSON lines such as {"epoch": 1, "loss": 0.5}, to the agent, each exactly once.
package main

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

const limit = 65536 // reports that are not kept: further ones are left out

type object = map[string]any

type said struct { // by the agent, in any message
	Number, Kept int
	Reason, Code string
	Stop         *said
}

type answer struct {
	Welcome, Stop  *said
	Kept, Rejected said
}

// read passes on each JSON object that comes, up to the end.
func read[T any](from io.ReadCloser, to chan<- T) {
	for decoder, next := json.NewDecoder(from), *new(T); decoder.Decode(&next) == nil; next = *new(T) {
		to <- next
	}
	from.Close()
	close(to)
}

func write(to io.WriteCloser, hello object, reports <-chan object) {
	defer to.Close()
	encoder := json.NewEncoder(to)
	encoder.Encode(hello)
	for report := range reports {
		encoder.Encode(report) // where it fails, reading ends
	}
}

func main() {
	path := cmp.Or(os.Getenv("EXPERIMENTS_SOCKET"), cmp.Or(os.Getenv("EXPERIMENTS_DIR"), "/experiments")+"/agent.sock")
	if path == "none" { // nothing is to be reported
		io.Copy(io.Discard, os.Stdin)
		return
	}
	hello := object{"hello": object{"client": rand.Text(), "program": os.Args[0], "pid": os.Getpid()}}
	reports := make(chan object)
	go read(os.Stdin, reports)

	var answers chan answer // over the connection; nil: there is none
	var agent chan object
	var tried time.Time
	var unkept []object // the reports after number kept, of which so many were sent over this connection
	kept, sent, welcome, stopping := 0, 0, false, false
	for reports != nil || len(unkept) > 0 {
		var out chan<- object
		var next object
		if welcome && sent < len(unkept) {
			out, next = agent, unkept[sent]
		}
		retry := time.After(time.Until(tried.Add(time.Second)))
		if answers != nil || len(unkept) == 0 && !tried.IsZero() {
			retry = nil
		}
		select {
		case <-retry:
			tried = time.Now()
			if conn, err := net.Dial("unix", path); err == nil {
				agent, answers = make(chan object), make(chan answer)
				go write(conn, hello, agent)
				go read(conn, answers)
			}
		case out <- next:
			sent++
		case values, ok := <-reports:
			if !ok {
				reports = nil
			} else if len(unkept) < limit {
				report := object{"number": kept + len(unkept) + 1, "epoch": values["epoch"], "step": values["step"], "metrics": values}
				delete(values, "epoch") // null, where there is none, is the same as nothing
				delete(values, "step")
				unkept = append(unkept, object{"report": report})
			}
		case answer, ok := <-answers:
			if !ok {
				close(agent)
				answers, welcome = nil, false
			}
			if answer.Welcome != nil {
				answer.Kept.Number, answer.Stop = answer.Welcome.Kept, answer.Welcome.Stop
				welcome, sent = true, 0
			}
			dealt := min(max(answer.Kept.Number-kept, 0), len(unkept))
			kept, sent, unkept = kept+dealt, max(sent-dealt, 0), unkept[dealt:]
			if answer.Stop != nil && !stopping {
				stopping = true
				fmt.Println("stop:", answer.Stop.Reason)
			}
			if answer.Rejected.Code == "client-id-taken" { // and try again
				close(agent)
				agent = make(chan object)
			}
			if answer.Rejected.Code == "version-not-spoken" {
				io.Copy(io.Discard, os.Stdin)
				return
			}
		}
	}
}
