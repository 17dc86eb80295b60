//! Columns of text through the Arrow `PyCapsule` interface, borrowed where they lie.
//!
//! Any library that exports `__arrow_c_array__` or `__arrow_c_stream__` (pyarrow, polars, pandas, duckdb ...) hands
//! over three structs of the Arrow C data interface, whose layout is frozen:
//! <https://arrow.apache.org/docs/format/CDataInterface.html>. Reading the five layouts of strings needs no more than
//! the pointers in them, so they are declared here, which spares the build the Arrow crates.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::{self, NonNull};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyTuple};
use tokmill::Error;

use crate::error::{Failure, Result};
use crate::text::Text;

/// `struct ArrowSchema`.
#[repr(C)]
struct Schema {
    format: *const c_char,
    name: *const c_char,
    metadata: *const c_char,
    flags: i64,
    n_children: i64,
    children: *mut *mut Schema,
    dictionary: *mut Schema,
    release: Option<unsafe extern "C" fn(*mut Schema)>,
    private_data: *mut c_void,
}

/// `struct ArrowArray`.
#[repr(C)]
struct Array {
    length: i64,
    null_count: i64,
    offset: i64,
    n_buffers: i64,
    n_children: i64,
    buffers: *const *const c_void,
    children: *mut *mut Array,
    dictionary: *mut Array,
    release: Option<unsafe extern "C" fn(*mut Array)>,
    private_data: *mut c_void,
}

/// `struct ArrowArrayStream`.
#[repr(C)]
struct Stream {
    get_schema: Option<unsafe extern "C" fn(*mut Stream, *mut Schema) -> c_int>,
    get_next: Option<unsafe extern "C" fn(*mut Stream, *mut Array) -> c_int>,
    get_last_error: Option<unsafe extern "C" fn(*mut Stream) -> *const c_char>,
    release: Option<unsafe extern "C" fn(*mut Stream)>,
    private_data: *mut c_void,
}

/// A struct of the interface, which its `release` callback frees and marks as empty.
trait Released {
    const EMPTY: Self;
    fn release(&self) -> Option<unsafe extern "C" fn(*mut Self)>;
}

impl Released for Schema {
    const EMPTY: Self = Self {
        format: ptr::null(),
        name: ptr::null(),
        metadata: ptr::null(),
        flags: 0,
        n_children: 0,
        children: ptr::null_mut(),
        dictionary: ptr::null_mut(),
        release: None,
        private_data: ptr::null_mut(),
    };

    fn release(&self) -> Option<unsafe extern "C" fn(*mut Self)> {
        self.release
    }
}

impl Released for Array {
    const EMPTY: Self = Self {
        length: 0,
        null_count: 0,
        offset: 0,
        n_buffers: 0,
        n_children: 0,
        buffers: ptr::null(),
        children: ptr::null_mut(),
        dictionary: ptr::null_mut(),
        release: None,
        private_data: ptr::null_mut(),
    };

    fn release(&self) -> Option<unsafe extern "C" fn(*mut Self)> {
        self.release
    }
}

impl Released for Stream {
    const EMPTY: Self =
        Self { get_schema: None, get_next: None, get_last_error: None, release: None, private_data: ptr::null_mut() };

    fn release(&self) -> Option<unsafe extern "C" fn(*mut Self)> {
        self.release
    }
}

/// A struct that this side must release.
struct Owned<T: Released>(T);

impl<T: Released> Owned<T> {
    /// Moves the struct out of its capsule, which is left empty, as the interface asks of a consumer.
    fn take(capsule: &Bound<'_, PyAny>, name: &'static CStr) -> Result<Self> {
        let capsule = capsule.cast::<PyCapsule>().map_err(PyErr::from)?;
        let inside: NonNull<T> = capsule.pointer_checked(Some(name))?.cast();
        // SAFETY: a capsule of this name holds a pointer to this struct, and we are attached, so no one else looks.
        let taken = Self(unsafe { ptr::replace(inside.as_ptr(), T::EMPTY) });
        match taken.0.release() {
            Some(_) => Ok(taken),
            None => Err(refused("the capsule has been used before")),
        }
    }
}

impl<T: Released> Drop for Owned<T> {
    fn drop(&mut self) {
        if let Some(release) = self.0.release() {
            // SAFETY: not released before, since releasing clears the callback; nothing borrows from it any more.
            unsafe { release(&raw mut self.0) };
        }
    }
}

/// How the strings of a column lie in its buffers.
#[derive(Clone, Copy)]
enum Layout {
    /// Offsets of 32 bits into one buffer.
    Narrow,
    /// Offsets of 64 bits into one buffer.
    Wide,
    /// Views of 16 bytes, which hold short strings themselves and point into one of several buffers for long ones.
    Views,
}

/// A column of strings in one or more chunks.
pub(crate) struct Column {
    chunks: Vec<Owned<Array>>,
    layout: Layout,
}

impl Column {
    /// Takes a column from an object that exports one; `None` for an object that does not.
    pub(crate) fn from_python(object: &Bound<'_, PyAny>) -> Result<Option<Self>> {
        let py = object.py();
        if let Some(export) = object.getattr_opt(intern!(py, "__arrow_c_array__"))? {
            let exported = export.call0()?;
            let capsules = exported.cast::<PyTuple>().map_err(PyErr::from)?;
            let schema = Owned::<Schema>::take(&capsules.get_item(0)?, c"arrow_schema")?;
            let array = Owned::<Array>::take(&capsules.get_item(1)?, c"arrow_array")?;
            return Ok(Some(Self { layout: layout(&schema.0)?, chunks: vec![array] }));
        }
        if let Some(export) = object.getattr_opt(intern!(py, "__arrow_c_stream__"))? {
            return Self::from_stream(Owned::take(&export.call0()?, c"arrow_array_stream")?).map(Some);
        }
        Ok(None)
    }

    fn from_stream(mut stream: Owned<Stream>) -> Result<Self> {
        let (Some(get_schema), Some(get_next)) = (stream.0.get_schema, stream.0.get_next) else {
            return Err(refused("the stream has no callbacks"));
        };
        let mut schema = Owned(Schema::EMPTY);
        // SAFETY: the stream is not released, and the schema is ours to be filled.
        let status = unsafe { get_schema(&raw mut stream.0, &raw mut schema.0) };
        if status != 0 {
            return Err(stream.failure(status));
        }
        let layout = layout(&schema.0)?;
        let mut chunks = Vec::new();
        loop {
            let mut array = Owned(Array::EMPTY);
            // SAFETY: as above; at its end the stream leaves the array released.
            let status = unsafe { get_next(&raw mut stream.0, &raw mut array.0) };
            if status != 0 {
                return Err(stream.failure(status));
            }
            if array.0.release.is_none() {
                return Ok(Self { chunks, layout });
            }
            chunks.push(array);
        }
    }

    /// Borrows every string. A null is refused by its row.
    pub(crate) fn texts(&self) -> Result<Vec<Text<'_>>> {
        let mut texts = Vec::with_capacity(self.chunks.iter().map(|chunk| chunk.0.length.max(0) as usize).sum());
        for chunk in &self.chunks {
            chunk.0.append_texts(self.layout, &mut texts)?;
        }
        Ok(texts)
    }
}

impl Owned<Stream> {
    fn failure(&mut self, status: c_int) -> Failure {
        let message = self.0.get_last_error.and_then(|get_last_error| {
            // SAFETY: called right after a callback failed; the string lives until the next call on the stream.
            unsafe {
                let message = get_last_error(&raw mut self.0);
                (!message.is_null()).then(|| CStr::from_ptr(message).to_string_lossy().into_owned())
            }
        });
        refused(message.unwrap_or_else(|| format!("the stream failed with error {status}")))
    }
}

fn refused(why: impl Into<String>) -> Failure {
    Failure::option("texts", format!("Arrow column: {}", why.into()))
}

/// The layout that a schema names; everything but strings is refused by its name.
fn layout(schema: &Schema) -> Result<Layout> {
    // SAFETY: a schema that is not released has a format, which is a C string.
    let format = unsafe { CStr::from_ptr(schema.format) }.to_string_lossy();
    let unsupported = |what: String| Err(Failure::Core(Error::unsupported("Arrow column", what)));
    if !schema.dictionary.is_null() {
        return unsupported("dictionary encoding; cast it to string first".to_owned());
    }
    match format.as_ref() {
        "u" | "z" => Ok(Layout::Narrow),
        "U" | "Z" => Ok(Layout::Wide),
        "vu" | "vz" => Ok(Layout::Views),
        "+s" => unsupported("a table or struct; pass one of its columns".to_owned()),
        _ => unsupported(format!("type with the format {format:?}; a column of strings or binary is needed")),
    }
}

impl Array {
    /// Buffer `index` as the start of an array of `T`; null where the producer left out an empty buffer.
    fn buffer<T>(&self, index: usize) -> *const T {
        debug_assert!((index as i64) < self.n_buffers);
        // SAFETY: there are `n_buffers` pointers at `buffers`.
        unsafe { *self.buffers.add(index) }.cast()
    }

    fn is_null(&self, row: usize) -> bool {
        let validity: *const u8 = self.buffer(0);
        // SAFETY: the validity buffer has a bit for each row up to `offset + length`.
        self.null_count != 0 && !validity.is_null() && unsafe { *validity.add(row / 8) } >> (row % 8) & 1 == 0
    }

    fn append_texts<'a>(&'a self, layout: Layout, texts: &mut Vec<Text<'a>>) -> Result<()> {
        let views = matches!(layout, Layout::Views);
        let enough = if views { self.n_buffers >= 3 } else { self.n_buffers == 3 };
        if self.length < 0 || self.offset < 0 || !enough {
            return Err(refused("the array contradicts itself"));
        }
        let rows = self.offset as usize..(self.offset + self.length) as usize;
        if let Some(null) = rows.clone().position(|row| self.is_null(row)) {
            return Err(refused(format!("row {} is null; fill or drop nulls first", texts.len() + null)));
        }
        for row in rows {
            // SAFETY: `row` is below `offset + length`, and the layout is the one that the schema names.
            let text = unsafe {
                match layout {
                    Layout::Narrow => {
                        let offsets = self.buffer::<i32>(1).add(row);
                        self.slice(2, (*offsets).into(), (*offsets.add(1)).into())
                    }
                    Layout::Wide => {
                        let offsets = self.buffer::<i64>(1).add(row);
                        self.slice(2, *offsets, *offsets.add(1))
                    }
                    Layout::Views => self.view(self.buffer::<View>(1).add(row)),
                }
            };
            texts.push(Text::Lent(text.ok_or_else(|| refused("the array contradicts itself"))?));
        }
        Ok(())
    }

    /// Bytes `begin..end` of a buffer.
    ///
    /// # Safety
    /// The buffer must have at least `end` bytes.
    unsafe fn slice(&self, buffer: usize, begin: i64, end: i64) -> Option<&[u8]> {
        if begin < 0 || end < begin {
            return None;
        }
        let data: *const u8 = self.buffer(buffer);
        if data.is_null() {
            return (begin == end).then_some(&[]);
        }
        // SAFETY: by the caller's promise.
        Some(unsafe { std::slice::from_raw_parts(data.add(begin as usize), (end - begin) as usize) })
    }

    /// The string of a view.
    ///
    /// # Safety
    /// `view` must point at a view of this array.
    unsafe fn view(&self, view: *const View) -> Option<&[u8]> {
        // SAFETY: by the caller's promise.
        let View { len, prefix: _, buffer, offset } = unsafe { view.read_unaligned() };
        if (0..=INLINE).contains(&len) {
            // SAFETY: a short string stands in the view itself, behind its length.
            return Some(unsafe { std::slice::from_raw_parts(view.cast::<u8>().add(4), len as usize) });
        }
        // Views, validity and the list of lengths stand around the data buffers.
        if len < 0 || buffer < 0 || i64::from(buffer) + 3 >= self.n_buffers {
            return None;
        }
        let begin = i64::from(offset);
        // SAFETY: a view lies within its buffer.
        unsafe { self.slice(buffer as usize + 2, begin, begin + i64::from(len)) }
    }
}

/// Strings up to this many bytes stand in their view.
const INLINE: i32 = 12;

/// An entry of a string view column whose string is longer than [`INLINE`].
#[repr(C)]
struct View {
    len: i32,
    prefix: [u8; 4],
    buffer: i32,
    offset: i32,
}
