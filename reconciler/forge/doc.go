// Package forge tells the forge that has the platform repository about the way of a change: a commit status for each
// environment, and one comment with the plan on each pull request of people who may write.
//
// In come the facts of a status.Board, the operator's file, and a function that makes plans. Out go requests to the API of
// GitHub or GitLab. Nothing that a forge answers decides anything: it says at most which statuses are there already, and on
// which requests a comment belongs. A forge that is slow, away or broken delays nothing but its own statuses and comments.
package forge
