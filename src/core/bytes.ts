/** Whether a text takes more than so many bytes as UTF-8. Looks at the letters only where the length alone does not say. */
export function exceedsBytes(text: string, maxBytes: number): boolean {
  if (text.length > maxBytes) return true
  if (text.length * 3 <= maxBytes) return false
  return bytesOf(text) > maxBytes
}

/** The bytes of a text as UTF-8. The text is well formed. */
export function bytesOf(text: string): number {
  let bytes = text.length
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 0x80) continue
    // A surrogate pair, two units here, is four bytes.
    const surrogate = unit >= 0xd800 && unit <= 0xdfff
    bytes += unit < 0x800 || surrogate ? 1 : 2
  }
  return bytes
}
