import { useEffect, useRef, type RefObject } from 'react'

const NEAR_PX = 80

/** Keeps the end in view while it grows, unless one has scrolled up to read. */
export function useStickToEnd<T extends HTMLElement>(grows: unknown): RefObject<T | null> {
  const box = useRef<T | null>(null)
  const near = useRef(true)
  useEffect(() => {
    const element = box.current
    if (element === null) return
    const look = (): void => {
      near.current = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR_PX
    }
    element.addEventListener('scroll', look, { passive: true })
    return () => element.removeEventListener('scroll', look)
  }, [])
  useEffect(() => {
    const element = box.current
    if (near.current && element !== null) element.scrollTop = element.scrollHeight
  }, [grows])
  return box
}
