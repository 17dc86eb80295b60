//! Per-thread scratch and the bounded cache of pieces.
