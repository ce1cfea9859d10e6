// Small drawings in the colour of the text around them. They say nothing to a screen reader: what they stand for is said in words.
import type { ReactNode } from 'react'

function Icon({ children }: { readonly children: ReactNode }) {
  return (
    <svg className="icon" viewBox="0 0 20 20" aria-hidden="true" focusable="false">
      {children}
    </svg>
  )
}

export const Logo = () => (
  <svg className="logo" viewBox="0 0 48 48" aria-hidden="true" focusable="false">
    <rect width="48" height="48" rx="13" fill="var(--accent)" />
    <path d="M9 29h30l-5 9H14z" fill="#fff" />
    <path d="M22 10h5v16h-5z M12 20h8v6h-8z M29 20h8v6h-8z" fill="#fff" opacity=".85" />
  </svg>
)

export const Send = () => (
  <Icon>
    <path d="M3 10 17 3l-4 14-3-6z" />
  </Icon>
)
export const Stop = () => (
  <Icon>
    <rect x="5" y="5" width="10" height="10" rx="2" />
  </Icon>
)
export const Left = () => (
  <Icon>
    <path d="M12 5 7 10l5 5" className="stroke" />
  </Icon>
)
export const Right = () => (
  <Icon>
    <path d="m8 5 5 5-5 5" className="stroke" />
  </Icon>
)
export const Down = () => (
  <Icon>
    <path d="m5 8 5 5 5-5" className="stroke" />
  </Icon>
)
export const Again = () => (
  <Icon>
    <path d="M15.5 10a5.5 5.5 0 1 1-1.7-4M14 2.5V6h-3.5" className="stroke" />
  </Icon>
)
export const Pencil = () => (
  <Icon>
    <path d="M4 16l1-4 8-8 3 3-8 8z" className="stroke" />
  </Icon>
)
export const Tool = () => (
  <Icon>
    <path
      d="M12.5 3.5a4 4 0 0 0-4.6 5.3L3.5 13.2a1.5 1.5 0 0 0 0 2.2l1 1a1.5 1.5 0 0 0 2.2 0l4.4-4.4a4 4 0 0 0 5.3-4.6L14 9.5 10.5 6z"
      className="stroke"
    />
  </Icon>
)
export const Check = () => (
  <Icon>
    <path d="m4.5 10.5 3.5 3.5 7.5-8" className="stroke" />
  </Icon>
)
export const Cross = () => (
  <Icon>
    <path d="m5 5 10 10M15 5 5 15" className="stroke" />
  </Icon>
)
export const Panel = () => (
  <Icon>
    <path d="M3 4h14v12H3zM12 4v12" className="stroke" />
  </Icon>
)
export const Mail = () => (
  <Icon>
    <path d="M3 5h14v10H3zM3 5.5l7 5.5 7-5.5" className="stroke" />
  </Icon>
)
