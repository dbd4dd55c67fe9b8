//! Steps through DER. What is read here is a handful of fields out of large structures, so they are walked
//! over instead of being described.

use der::{
    AnyRef, Decode as _, Encode as _, Reader as _, SliceReader, Tag, TagNumber, asn1::ObjectIdentifier,
};
use zeroize::Zeroizing;

/// Not the DER that was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

impl From<der::Error> for Malformed {
    fn from(_: der::Error) -> Self {
        Self
    }
}

/// The elements of a constructed value, one after the other.
pub(super) struct Elements<'a>(SliceReader<'a>);

impl<'a> Elements<'a> {
    pub(super) fn of(contents: &'a [u8]) -> Result<Self, Malformed> {
        Ok(Self(SliceReader::new(contents)?))
    }

    /// Those of the only sequence that `der` is.
    pub(super) fn of_sequence(der: &'a [u8]) -> Result<Self, Malformed> {
        let mut outer = Self::of(der)?;
        let inner = outer.sequence()?;
        if outer.is_at_end() { Ok(inner) } else { Err(Malformed) }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.0.is_finished()
    }

    /// The contents of the next element, which must have this tag.
    pub(super) fn next(&mut self, tag: Tag) -> Result<&'a [u8], Malformed> {
        let any = AnyRef::decode(&mut self.0)?;
        if der::Tagged::tag(&any) == tag { Ok(any.value()) } else { Err(Malformed) }
    }

    /// The same where it may be left out.
    pub(super) fn optional(&mut self, tag: Tag) -> Result<Option<&'a [u8]>, Malformed> {
        if self.is_at_end() || Tag::peek(&self.0)? != tag { Ok(None) } else { self.next(tag).map(Some) }
    }

    pub(super) fn sequence(&mut self) -> Result<Self, Malformed> {
        Self::of(self.next(Tag::Sequence)?)
    }

    /// The whole next element, header included, which must be a number of any size.
    pub(super) fn raw_number(&mut self) -> Result<&'a [u8], Malformed> {
        if Tag::peek(&self.0)? == Tag::Integer { Ok(self.0.tlv_bytes()?) } else { Err(Malformed) }
    }

    pub(super) fn oid(&mut self) -> Result<ObjectIdentifier, Malformed> {
        Ok(ObjectIdentifier::decode(&mut self.0)?)
    }

    pub(super) fn number(&mut self) -> Result<u32, Malformed> {
        Ok(u32::decode(&mut self.0)?)
    }

    /// Whole bytes of a bit string.
    pub(super) fn bits(&mut self) -> Result<&'a [u8], Malformed> {
        match self.next(Tag::BitString)? {
            [0, bytes @ ..] => Ok(bytes),
            _ => Err(Malformed),
        }
    }
}

/// The tag of an element that is told by a number, holding others.
pub(super) const fn numbered(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: true, number: TagNumber(number) }
}

/// The same for one that holds bytes.
pub(super) const fn numbered_bytes(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: false, number: TagNumber(number) }
}

/// One element with these contents.
pub(super) fn element(tag: Tag, contents: &[u8]) -> Result<Zeroizing<Vec<u8>>, Malformed> {
    Ok(Zeroizing::new(AnyRef::new(tag, contents)?.to_der()?))
}
