//! The macro that makes a section of the file: struct, defaults, reader and reference text from one
//! place, so that they cannot differ.

use toml::de::DeTable;

use crate::read::Reader;

/// One key as the reference shows it.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    /// Lines of the field's doc comment.
    pub(crate) doc: &'static [&'static str],
    /// The default as written in the file; if there is none, an example.
    pub(crate) value: String,
}

pub(crate) trait Section: Default {
    /// Lines of the section's doc comment.
    const DOC: &'static [&'static str];
    const NAMES: &'static [&'static str];

    fn read(&mut self, reader: &mut Reader<'_>, table: &DeTable<'_>, path: &str);

    fn keys() -> Vec<Key>;
}

/// ```text
/// section! {
///     /// Text of the section.
///     pub struct Name {
///         /// Text of the key.
///         key: Type = default;
///         /// Text of a key without a default, with an example.
///         other: Option<Type> = None, "example as written in the file";
///     }
/// }
/// ```
macro_rules! section {
    (
        $(#[doc = $section_doc:literal])*
        pub struct $name:ident {
            $( $(#[doc = $doc:literal])* $field:ident: $type:ty = $default:expr $(, $example:literal)?; )*
        }
    ) => {
        $(#[doc = $section_doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $( $(#[doc = $doc])* pub $field: $type, )*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $field: $default, )* }
            }
        }

        impl $crate::section::Section for $name {
            const DOC: &'static [&'static str] = &[$($section_doc),*];
            const NAMES: &'static [&'static str] = &[$(stringify!($field)),*];

            fn read(
                &mut self,
                reader: &mut $crate::read::Reader<'_>,
                table: &toml::de::DeTable<'_>,
                path: &str,
            ) {
                $( reader.setting(table, path, stringify!($field), &mut self.$field); )*
            }

            fn keys() -> Vec<$crate::section::Key> {
                let defaults = Self::default();
                vec![$(
                    $crate::section::Key {
                        name: stringify!($field),
                        doc: &[$($doc),*],
                        value: $crate::read::Setting::render(&defaults.$field)
                            $( .or(Some($example.to_owned())) )?
                            .unwrap_or_default(),
                    }
                ),*]
            }
        }
    };
}

pub(crate) use section;
