//! Encoding, end to end.

use criterion::{Criterion, criterion_group, criterion_main};

fn encode(criterion: &mut Criterion) {
    let _ = criterion;
}

criterion_group!(benches, encode);
criterion_main!(benches);
