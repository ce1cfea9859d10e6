import { HeldlineError } from '../protocol/errors.ts'
import type { By } from '../protocol/event.ts'
import type { SessionId } from '../protocol/ids.ts'
import { run, sessionNotFound } from './commit.ts'
import { headPosition } from './judge.ts'
import type { Keeper } from './keeper.ts'
import type { Random } from './random.ts'
import { demandSize, rawMember } from './raw-data.ts'
import type { ReadPorts } from './read-events.ts'
import { DEADLINE, FIELD } from './record.ts'
import type { SchemaCheck } from './schema-check.ts'
import type { DueDeadline, LogHead } from './store.ts'
import { askQuestion, type Asked } from './transitions/question.ts'
import {
  answerQuestion,
  questionDue,
  withdrawQuestion,
  type QuestionWord,
} from './transitions/question-end.ts'
import { parseClosed, parseQuestionInfo, type QuestionInfo } from './transitions/question-record.ts'
import type { ClosedQuestion } from './transitions/run-questions.ts'
import type { RunClaim } from './transitions/run-record.ts'
import { waitFor, type WaitOptions } from './wait-for.ts'

export interface QuestionsPorts extends ReadPorts {
  readonly random: Random
  readonly keeper: Pick<Keeper, 'committed'>
  readonly schemas: SchemaCheck
}

/** What an agent asks. The texts are JSON, as the bytes that came. */
export interface QuestionWords {
  readonly session: SessionId
  /** Without it, the question gets one; then a retry is another question. */
  readonly question?: string
  readonly claim: RunClaim | null
  readonly prompt: string
  readonly schema?: Readonly<Record<string, unknown>>
  readonly rawSchema: string | null
  readonly rawData: string | null
  readonly expiresInMs?: number
  readonly by: By
}

/** A question, and what has become of it so far. */
export interface QuestionFound {
  readonly info: QuestionInfo
  /** `null`: it is open. */
  readonly closed: ClosedQuestion | null
  /** What people and agents said of it, as the bytes that came; `null`: nothing. */
  readonly raw: Readonly<Record<'schema' | 'data' | 'answer', string | null>>
}

/** What agents ask people. [P-11.5] */
export class Questions {
  readonly #ports: QuestionsPorts

  constructor(ports: QuestionsPorts) {
    this.#ports = ports
  }

  /** @throws HeldlineError `payload_too_large`, `invalid_request` for a schema that cannot be understood, what `askQuestion` throws */
  async ask(words: QuestionWords): Promise<Asked & { readonly question: string }> {
    const { random, limits, clock, schemas } = this.#ports
    const { session, question = random.id(), schema } = words
    demandSize('the schema', words.rawSchema, limits.maxEventBytes)
    demandSize('the data', words.rawData, limits.maxEventBytes)
    const refusal = schema === undefined ? null : schemas.refuse(schema)
    if (refusal !== null) {
      throw new HeldlineError('invalid_request', `unable to ask; schema: ${refusal}`)
    }
    const request = {
      ...words,
      question,
      expiresInMs: words.expiresInMs ?? null,
      nowMs: clock.now(),
      maxOpen: limits.maxQuestions,
      maxBytes: limits.maxQuestionsBytes,
    }
    return { question, ...(await this.#run(session, askQuestion(request, random))) }
  }

  /**
   * @returns whether this very request did it
   * @throws HeldlineError `payload_too_large`, `answer_invalid`, what `answerQuestion` throws
   */
  async answer(word: QuestionWord & { readonly rawAnswer: string }): Promise<boolean> {
    const { limits, schemas, random } = this.#ports
    demandSize('the answer', word.rawAnswer, limits.maxEventBytes)
    const { info, closed } = await this.get(word.session, word.question)
    // Whoever comes too late is told that, whatever they say.
    if (closed === null && info.schema !== undefined) {
      const misfit = schemas.misfit(info.schema, JSON.parse(word.rawAnswer))
      if (misfit !== null) {
        throw new HeldlineError('answer_invalid', `unable to answer; ${misfit}`, {
          facts: { misfit },
        })
      }
    }
    return this.#run(word.session, answerQuestion(word, random))
  }

  /** @returns what became of it */
  withdraw(
    word: QuestionWord & { readonly epoch: number | null },
  ): Promise<ClosedQuestion['outcome']> {
    return this.#run(word.session, withdrawQuestion(word, this.#ports.random))
  }

  /** @throws HeldlineError `session_not_found`, `question_not_found` */
  async get(session: SessionId, question: string): Promise<QuestionFound> {
    const [status, about] = [FIELD.question(question), FIELD.questionInfo(question)]
    const fields = await this.#ports.store.fields(session, [status, about])
    if (fields === null) throw sessionNotFound()
    const [asked, ended] = [fields.get(about) ?? null, fields.get(status) ?? null]
    const info = parseQuestionInfo(asked)
    const closed = parseClosed(ended)
    const answer = closed === null ? null : rawMember(ended, 'answer')
    const raw = { schema: rawMember(asked, 'schema'), data: rawMember(asked, 'data'), answer }
    return { info, closed, raw }
  }

  /** The question, once it is not open any more, or when the time is over. */
  wait(session: SessionId, question: string, options: WaitOptions): Promise<QuestionFound> {
    return waitFor(this.#ports, session, 'question', options, async () => {
      const position = headPosition(await this.#head(session))
      const value = await this.get(session, question)
      return { value, position, found: value.closed !== null }
    })
  }

  /** The deadline of one that is open is due. */
  async due({ session, deadline, at }: DueDeadline): Promise<void> {
    const question = deadline.slice(DEADLINE.question('').length)
    await this.#run(session, questionDue({ session, question, at }, this.#ports.random))
  }

  async #head(session: SessionId): Promise<LogHead> {
    const [head] = await this.#ports.store.heads([session])
    if (head === null || head === undefined) throw sessionNotFound()
    return head
  }

  #run<T>(session: SessionId, transition: Parameters<typeof run<T>>[1]): Promise<T> {
    const { store, keeper } = this.#ports
    return run(store, transition, (...done) => keeper.committed(session, ...done))
  }
}
