package supervise

var archRows []callRow
