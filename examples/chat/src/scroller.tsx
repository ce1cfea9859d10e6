import type { FocusEvent, ReactNode } from 'react'
import type { StickToBottomInstance } from 'use-stick-to-bottom'
import { Down } from './icons.tsx'

interface Props {
  readonly end: StickToBottomInstance
  /** The agent waits at the end for an answer. */
  readonly asked: boolean
  readonly children: ReactNode
}

/** What scrolls, and the way back to its end for who has scrolled away from it. */
export function Scroller({ end, asked, children }: Props) {
  const { scrollRef, contentRef, isAtBottom, scrollToBottom, stopScroll } = end
  // Who has gone to something by keyboard is not carried away from it.
  const onFocus = ({ target }: FocusEvent): void => {
    if (target.matches(':focus-visible')) stopScroll()
  }
  return (
    <div className="scroller">
      <div className="scroll" ref={scrollRef} tabIndex={-1}>
        <div ref={contentRef} onFocus={onFocus}>
          {children}
        </div>
      </div>
      {!isAtBottom && (
        <button type="button" className="to-end" onClick={() => void scrollToBottom()}>
          <Down /> {asked ? 'The agent asks you something' : 'To the end'}
        </button>
      )}
    </div>
  )
}
