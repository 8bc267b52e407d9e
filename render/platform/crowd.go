package platform

import "transom.dev/render/schema"

// The work that the schemas of versions may take for all requests together in one environment, and for each besides. One request alone may
// take schema.AllWork, and so may few.
var (
	workTogether = schema.Work{Defaults: 1_000_000, Steps: 10_000_000}
	workEach     = schema.Work{Defaults: 100, Steps: 300}
)

// takenTimes is how many times as much a request may take whose version runs.
const takenTimes = 2

// shareOf is the work that each of so many requests may take.
func shareOf(requests int) schema.Work {
	parts := int64(max(1, requests))
	return schema.Work{Defaults: workEach.Defaults + workTogether.Defaults/parts, Steps: workEach.Steps + workTogether.Steps/parts}.Times(1)
}

// countRequests counts the files of requests.
func countRequests(t *tree) (n int) {
	for _, files := range t.teams {
		n += len(files.requests)
	}
	return n
}
