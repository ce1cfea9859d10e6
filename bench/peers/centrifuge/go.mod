module heldline/bench/peers/centrifuge

go 1.24

require github.com/centrifugal/centrifuge v0.38.0
