// Lets the agent's process find `heldline/agent` in the sources beside it; an application has the package.
import { registerHooks } from 'node:module'

const agent = new URL('../../src/agent/index.ts', import.meta.url).href

registerHooks({
  resolve: (specifier, context, next) =>
    next(specifier === 'heldline/agent' ? agent : specifier, context),
})
