import type { ReplyMessage } from '../model/runState.ts';

/** A piece of the text of a message. */
export interface TextPiece {
  readonly messageId: string;
  /** Whether the message is commentary on the work in progress, not part of the reply. */
  readonly commentary: boolean;
  readonly text: string;
}

interface MessageSoFar {
  readonly messageId: string;
  readonly commentary: boolean;
  text: string;
  part: number;
}

/** Assembles the messages of a run from pieces and, at the end of a round, from the whole. */
export class ReplyText {
  readonly #messages = new Map<string, MessageSoFar>();
  readonly #messageIdOf: (itemId: string) => Promise<string>;
  readonly #add: (piece: TextPiece) => void;

  /**
   * @param messageIdOf translates the engine's id of a message.
   * @param add is called with each piece, in order.
   */
  constructor(messageIdOf: (itemId: string) => Promise<string>, add: (piece: TextPiece) => void) {
    this.#messageIdOf = messageIdOf;
    this.#add = add;
  }

  /** Begins a message. */
  async begin(itemId: string, commentary: boolean): Promise<MessageSoFar> {
    const message = { messageId: await this.#messageIdOf(itemId), commentary, text: '', part: 0 };
    this.#messages.set(itemId, message);
    return message;
  }

  /** Appends text of a part of a message. Parts are separated by line breaks, as in the thread. */
  async append(itemId: string, part: number, text: string): Promise<void> {
    if (text === '') return;
    const message = this.#messages.get(itemId) ?? (await this.begin(itemId, false));
    const separator = part !== message.part && message.text !== '' ? '\n' : '';
    message.part = part;
    this.#extend(message, separator + text);
  }

  /** Appends the text of a reply that its stream did not deliver. */
  async complete(reply: readonly ReplyMessage[]): Promise<void> {
    for (const { itemId, commentary, text } of reply) {
      const message = this.#messages.get(itemId) ?? (await this.begin(itemId, commentary));
      if (text.length > message.text.length && text.startsWith(message.text)) {
        this.#extend(message, text.slice(message.text.length));
      }
    }
  }

  #extend(message: MessageSoFar, text: string): void {
    message.text += text;
    const { messageId, commentary } = message;
    this.#add({ messageId, commentary, text });
  }
}
