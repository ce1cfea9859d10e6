let tasks: (() => void)[] = []

/**
 * Runs a task once what runs now is through, before anything else of the event loop: a fan-out to a thousand sockets shares one tick, of which each would cost
 * more than all else that is done for a socket in JavaScript.
 */
export function atEndOfTurn(task: () => void): void {
  if (tasks.push(task) === 1) process.nextTick(runAll)
}

function runAll(): void {
  const due = tasks
  tasks = []
  for (const task of due) {
    try {
      task()
    } catch (error) {
      // A bug of one task is loud (an uncaught exception), and the others still run.
      queueMicrotask(() => {
        throw error
      })
    }
  }
}
