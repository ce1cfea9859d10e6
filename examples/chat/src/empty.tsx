const PROMPTS = [
  'How do we get from Kiel to Gothenburg this week?',
  'Which night has the calmest sea?',
  'Book the two cabins on the night ferry',
]

/** What one may ask, where nothing was asked yet. */
export function Empty({ onAsk }: { readonly onAsk: (text: string) => void }) {
  return (
    <div className="empty">
      <h2>Where would you like to go?</h2>
      <p>
        Ask, then break things while it answers: the answer lives in the session, and not in this
        page.
      </p>
      <div className="prompts">
        {PROMPTS.map((prompt) => (
          <button key={prompt} type="button" onClick={() => onAsk(prompt)}>
            {prompt}
          </button>
        ))}
      </div>
    </div>
  )
}
